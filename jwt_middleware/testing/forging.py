"""`Good`: a good token, and the means to change it."""

import base64
import hmac
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from secrets import token_urlsafe
from typing import Any

from jwt_middleware.testing.fake_issuer import FakeIssuer


@dataclass(frozen=True)
class Request:
    """What a request carries. Path, method and all else are those of the contract."""

    headers: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    body: bytes = b""
    content_type: str = ""

    def texts(self) -> list[str]:
        """Return all texts that an answer must not repeat."""
        return [*self.headers.values(), self.query, self.body.decode("latin-1")]


class Good:
    """A good token, and the means to change it: what the requests are made of.

    `marker` is a random text that is in the claims of every token.
    """

    def __init__(
        self,
        issuer: FakeIssuer,
        subject: str,
        *,
        scopes: Collection[str] = (),
        claims: Mapping[str, Any] | None = None,
    ) -> None:
        self.issuer = issuer
        self.subject = subject
        self.marker = token_urlsafe(18)
        self._scopes = scopes
        self._claims = {"jti": self.marker, "marker": self.marker} | dict(claims or {})
        self.attacker: FakeIssuer = _attacker(self.algorithm)

    @property
    def algorithm(self) -> str:
        """The algorithm of the issuer's key."""
        return str(self.issuer.jwks()["keys"][0]["alg"])

    @property
    def audience(self) -> str:
        """One audience of the issuer's tokens."""
        audience = self.issuer.audience
        return audience if isinstance(audience, str) else next(iter(audience))

    @property
    def now(self) -> int:
        """The time of the issuer."""
        return int(self.issuer.clock())

    def token(self, **changes: Any) -> str:
        """Return a good token, except for these claims; None removes a claim."""
        return self.issuer.token(self.subject, scopes=self._scopes, **(self._claims | changes))

    def header(self, **changes: Any) -> dict[str, Any]:
        """Return the header of a good token, except for these members."""
        members: dict[str, Any] = json.loads(decode(self.token().split(".")[0]))
        return members | changes

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return the claims of a good token, except for these; None removes a claim."""
        claims: dict[str, Any] = json.loads(decode(self.token(**changes).split(".")[1]))
        return claims

    def sign(self, header: object, payload: object) -> str:
        """Return a token of the issuer with exactly this header and payload."""
        return self.issuer.sign(f"{segment(header)}.{segment(payload)}")

    def forge(self, **header: Any) -> str:
        """Return a good token that the attacker has signed, with these members in its header."""
        return self.attacker.sign(f"{segment(self.header(**header))}.{segment(self.claims())}")

    def unsigned(self, signature: str = "", **header: Any) -> str:
        """Return a good token with these members in its header and this signature."""
        return f"{segment(self.header(**header))}.{segment(self.claims())}.{signature}"

    def hmac(self, secret: bytes, **header: Any) -> str:
        """Return a good token that is signed with HS256 and this secret."""
        members = segment(self.header(alg="HS256", **header))
        signing_input = f"{members}.{segment(self.claims())}"
        return f"{signing_input}.{encode(hmac.digest(secret, signing_input.encode(), 'sha256'))}"

    def resigned(self, change: Callable[[bytes], bytes]) -> str:
        """Return a good token with a changed signature."""
        signing_input, _, signature = self.token().rpartition(".")
        return f"{signing_input}.{encode(change(decode(signature)))}"


@lru_cache(maxsize=16)
def _attacker(algorithm: str) -> FakeIssuer:
    # Kept, because an RSA key takes a tenth of a second.
    return FakeIssuer(algorithm=algorithm)


def encode(data: bytes) -> str:
    """Encode as base64url without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decode(text: str) -> bytes:
    """Decode base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def segment(content: object) -> str:
    """Return bytes, a text or a JSON value as a segment of a token."""
    if isinstance(content, bytes):
        return encode(content)
    text = content if isinstance(content, str) else json.dumps(content, separators=(",", ":"))
    return encode(text.encode())
