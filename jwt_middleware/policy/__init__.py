"""Which requests need a token, and what the token must permit."""

from typing import TYPE_CHECKING

from jwt_middleware._lazy import lazy_names

if TYPE_CHECKING:
    from jwt_middleware.policy.matching import TOKEN_REQUIRED, Decision
    from jwt_middleware.policy.paths import ambiguity
    from jwt_middleware.policy.policy import Policy
    from jwt_middleware.policy.rules import (
        DELEGATED,
        OPTIONAL,
        PUBLIC,
        REQUIRED,
        Check,
        Mode,
        Rule,
        delegate,
        optional,
        public,
        require,
    )
    from jwt_middleware.policy.views import Demands, protected

__all__ = [
    "DELEGATED",
    "OPTIONAL",
    "PUBLIC",
    "REQUIRED",
    "TOKEN_REQUIRED",
    "Check",
    "Decision",
    "Demands",
    "Mode",
    "Policy",
    "Rule",
    "ambiguity",
    "delegate",
    "optional",
    "protected",
    "public",
    "require",
]

__getattr__ = lazy_names(
    __name__,
    {
        "matching": ("Decision", "TOKEN_REQUIRED"),
        "paths": ("ambiguity",),
        "policy": ("Policy",),
        "rules": (
            "Check",
            "DELEGATED",
            "Mode",
            "OPTIONAL",
            "PUBLIC",
            "REQUIRED",
            "Rule",
            "delegate",
            "optional",
            "public",
            "require",
        ),
        "views": ("Demands", "protected"),
    },
)
