"""Issuing tokens: access tokens, refresh tokens and sessions."""

from typing import TYPE_CHECKING

from jwt_middleware._lazy import lazy_names

if TYPE_CHECKING:
    from jwt_middleware.issuing.issuer import TokenIssuer

__all__ = ["TokenIssuer"]

__getattr__ = lazy_names(
    __name__,
    {
        "issuer": ("TokenIssuer",),
    },
)
