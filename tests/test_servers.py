"""Names that test_prefork imports from here, until it moves to tests/integration too."""

from tests.servers import free_port, require_module, wait_for_port

__all__ = ["free_port", "missing", "wait_until_listening"]

missing = require_module


def wait_until_listening(process, port, output):
    wait_for_port(port, process, output)
