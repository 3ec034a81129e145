"""The requests that every application must refuse, for `RefusalContract`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from jwt_middleware.testing.forging import Good, Request
from jwt_middleware.testing.refused_claims import CLAIMS
from jwt_middleware.testing.refused_credentials import CREDENTIALS
from jwt_middleware.testing.refused_signatures import SIGNATURES
from jwt_middleware.testing.refused_spellings import SPELLINGS


@dataclass(frozen=True)
class RefusedRequest:
    """A request that every application must refuse, and what to do if it does not."""

    id: str
    problem: str
    remedy: str
    make: Callable[[Good], Request]


def _carrying(make: Callable[[Good], str]) -> Callable[[Good], Request]:
    return lambda good: Request({"Authorization": f"Bearer {make(good)}"})


REFUSED_REQUESTS: Final = [
    *(
        RefusedRequest(name, f"The request {problem}.", remedy, make)
        for name, problem, remedy, make in CREDENTIALS
    ),
    *(
        RefusedRequest(name, f"The token {problem}.", remedy, _carrying(make))
        for name, problem, remedy, make in [*SPELLINGS, *SIGNATURES, *CLAIMS]
    ),
]
