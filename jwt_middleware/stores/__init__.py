"""Where revocations and sessions are remembered."""

from typing import TYPE_CHECKING

from jwt_middleware._lazy import lazy_names

if TYPE_CHECKING:
    from jwt_middleware.stores.memory import MemoryStore
    from jwt_middleware.stores.protocol import Store, StoreError, check_answers, store_faults
    from jwt_middleware.stores.redis import RedisStore
    from jwt_middleware.stores.sqlite import SQLiteStore

__all__ = [
    "MemoryStore",
    "RedisStore",
    "SQLiteStore",
    "Store",
    "StoreError",
    "check_answers",
    "store_faults",
]

__getattr__ = lazy_names(
    __name__,
    {
        "memory": ("MemoryStore",),
        "protocol": ("Store", "StoreError", "check_answers", "store_faults"),
        "redis": ("RedisStore",),
        "sqlite": ("SQLiteStore",),
    },
)
