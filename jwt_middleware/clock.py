"""The default clock."""

import time


def current_time() -> float:
    """Return the seconds since the epoch.

    `time.time` is looked up at each call, so that freezegun and time-machine can replace it.
    """
    return time.time()
