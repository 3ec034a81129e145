"""Names that test_prefork imports from here, until it moves to tests/integration too."""

from tests.integration.test_servers import free_port, missing, wait_until_listening

__all__ = ["free_port", "missing", "wait_until_listening"]
