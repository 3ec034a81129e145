"""`FakeIssuer`: an identity provider in memory."""

import base64
import json
from collections.abc import Callable, Collection
from typing import Any, Final, Literal

from jwt_middleware.clock import current_time
from jwt_middleware.jose import ALGORITHMS, generate_private_pem, public_jwk, public_pem, sign
from jwt_middleware.keys import Fetched, PrivateKey, RemoteJWKSet
from jwt_middleware.testing.claims import AUDIENCE, ISSUER, access_claims
from jwt_middleware.verifier import Verifier

_DISCOVERY: Final = "/.well-known/openid-configuration"
# No request is sent to it: `fetch` answers.
_JWKS_URL: Final = "https://id.example.com/jwks.json"


class FakeIssuer:
    """An identity provider in memory: it issues tokens and publishes the keys to verify them.

    `verifier` returns a `Verifier` that trusts it. An application that makes its own `RemoteJWKSet`
    can trust it too, with ``fetch=fake_issuer.fetch``. `algorithm` is the asymmetric algorithm
    of its keys. `clock` returns the seconds since the epoch.
    """

    def __init__(
        self,
        *,
        issuer: str = ISSUER,
        audience: str | Collection[str] = AUDIENCE,
        algorithm: str = "ES256",
        clock: Callable[[], float] = current_time,
    ) -> None:
        self.issuer = issuer
        self.audience = audience
        self.clock = clock
        self.fetched: list[str] = []
        self._algorithm = algorithm
        self._failure: str | None = None
        self._rotations = 0
        self._keys = [self._new_key()]

    def verifier(self, **options: Any) -> Verifier:
        """Return a verifier of this issuer's tokens; `options` are arguments of `Verifier`.

        Its keys are a `RemoteJWKSet`, loaded from this issuer when the first token arrives.
        """
        defaults: dict[str, Any] = {
            "issuer": self.issuer,
            "audience": self.audience,
            "clock": self.clock,
        }
        keys = RemoteJWKSet(_JWKS_URL, fetch=self.fetch, clock=self.clock)
        return Verifier(keys, **(defaults | options))

    def token(self, subject: str, /, *, scopes: Collection[str] = (), **claims: Any) -> str:
        """Return a signed access token that expires in 600 seconds.

        It has all claims that RFC 9068 requires. `claims` adds claims and replaces any of them;
        None removes one. ``exp=0`` makes an expired token.
        """
        content = access_claims(
            subject, scopes, claims, issuer=self.issuer, audience=self.audience, now=self.clock()
        )
        return sign(content, self._keys[0].key, typ="at+jwt")

    def bearer(
        self, subject: str, /, *, scopes: Collection[str] = (), **claims: Any
    ) -> dict[str, str]:
        """Return the request headers with a token, as a dict; the arguments are those of `token`.

        Pass it as ``headers=`` to the clients of WebTest, Werkzeug, Flask and Django.
        """
        return {"Authorization": f"Bearer {self.token(subject, scopes=scopes, **claims)}"}

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Return the JWK set of the public keys."""
        return {"keys": [public_jwk(key.key) for key in self._keys]}

    def public_pem(self) -> str:
        """Return the public key in PEM form, for libraries that do not read a JWK set."""
        return public_pem(self._keys[0].key).decode()

    def sign(self, signing_input: str) -> str:
        """Return any text with a signature of this issuer: ``<signing_input>.<signature>``.

        It is for tokens that no issuer should issue. The text should be two segments of base64url,
        but nothing is checked.
        """
        key = self._keys[0].key
        signature = ALGORITHMS[key.algorithm].sign(signing_input.encode(), key.material)
        return f"{signing_input}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"

    def rotate(self) -> None:
        """Sign with a new key from now on.

        The key before it stays published, so that its tokens are still accepted. A key that was
        replaced twice is published no more. A `RemoteJWKSet` looks for a new key at once, but only
        once in 30 seconds (`cooldown`).
        """
        self._rotations += 1
        self._keys = [self._new_key(), self._keys[0]]

    def fail(self, kind: Literal["timeout", "500", "garbage"]) -> None:
        """Let every fetch fail until `recover` is called.

        ``"timeout"`` fails at once, without waiting. ``"garbage"`` answers with a page that is not
        JSON. A `RemoteJWKSet` that has loaded its keys goes on with them for 65 minutes. After a
        failure it waits a second or more before it tries again.
        """
        if kind not in ("timeout", "500", "garbage"):
            raise ValueError(f"kind: {kind!r} is not one of 'timeout', '500', 'garbage'")
        self._failure = kind

    def recover(self) -> None:
        """Answer every fetch again."""
        self._failure = None

    def fetch(self, url: str, *, timeout: float, max_bytes: int) -> Fetched:
        """Return the document at a URL, as `fetch_document` does, but without a request.

        Every URL has the JWK set, except the URL of the OpenID Connect metadata. `fetched` lists
        the URLs.
        """
        self.fetched.append(url)
        if self._failure == "timeout":
            raise TimeoutError("timed out")
        if self._failure == "500":
            raise OSError("status 500")
        if self._failure == "garbage":
            return Fetched(b"<!doctype html><title>Be right back</title>")
        metadata = {"issuer": self.issuer, "jwks_uri": _JWKS_URL}
        document = metadata if url.endswith(_DISCOVERY) else self.jwks()
        return Fetched(json.dumps(document).encode())

    def _new_key(self) -> PrivateKey:
        return PrivateKey(
            generate_private_pem(self._algorithm),
            algorithm=self._algorithm,
            key_id=f"key-{self._rotations + 1}",
        )
