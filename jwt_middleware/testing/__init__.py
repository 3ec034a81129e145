"""For your tests: the promises of every store, as tests to run against a store of your own. Needs pytest."""

from jwt_middleware.testing.store_contract import ENDED, LATER, StoreContract

__all__ = ["ENDED", "LATER", "StoreContract"]
