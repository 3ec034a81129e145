"""Stores, which hold revocations and spent refresh tokens until they expire."""

from typing import TYPE_CHECKING

from jwt_middleware._lazy import lazy_names

if TYPE_CHECKING:
    from jwt_middleware.stores.guarded import GuardedStore
    from jwt_middleware.stores.memory import MemoryStore
    from jwt_middleware.stores.protocol import Store, StoreError, check_store
    from jwt_middleware.stores.redis import RedisStore
    from jwt_middleware.stores.sqlite import SQLiteStore

__all__ = [
    "GuardedStore",
    "MemoryStore",
    "RedisStore",
    "SQLiteStore",
    "Store",
    "StoreError",
    "check_store",
]

__getattr__ = lazy_names(
    __name__,
    {
        "guarded": ("GuardedStore",),
        "memory": ("MemoryStore",),
        "protocol": ("Store", "StoreError", "check_store"),
        "redis": ("RedisStore",),
        "sqlite": ("SQLiteStore",),
    },
)
