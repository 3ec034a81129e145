"""For your tests: what every store must do, as tests for a store of your own. Needs pytest."""

from jwt_middleware.testing.store_contract import ENDED, LATER, StoreContract

__all__ = ["ENDED", "LATER", "StoreContract"]
