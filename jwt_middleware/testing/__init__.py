"""A testing kit: a fake identity provider, a clock, and tests for applications and stores.

Nothing is patched, and no socket is opened. Only the two contracts and the plugin need pytest.
"""

from typing import TYPE_CHECKING

from jwt_middleware._lazy import lazy_names

if TYPE_CHECKING:
    from jwt_middleware.testing.clock import FrozenClock
    from jwt_middleware.testing.environ import claims_environ
    from jwt_middleware.testing.fake_issuer import FakeIssuer
    from jwt_middleware.testing.refusal_contract import RefusalContract
    from jwt_middleware.testing.store_contract import ENDED, LATER, StoreContract

__all__ = [
    "ENDED",
    "LATER",
    "FakeIssuer",
    "FrozenClock",
    "RefusalContract",
    "StoreContract",
    "claims_environ",
]

__getattr__ = lazy_names(
    __name__,
    {
        "clock": ("FrozenClock",),
        "environ": ("claims_environ",),
        "fake_issuer": ("FakeIssuer",),
        "refusal_contract": ("RefusalContract",),
        "store_contract": ("ENDED", "LATER", "StoreContract"),
    },
)
