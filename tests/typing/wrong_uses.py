"""Mistakes that type checkers must find. `make check` runs mypy on this file; nothing runs it.

mypy runs with `warn_unused_ignores`. So if it no longer finds one of these mistakes, the comment
that ignores the mistake becomes an error itself.
"""

from wsgiref.types import WSGIApplication, WSGIEnvironment

from jwt_middleware import (
    CORS,
    AccessToken,
    JWKSet,
    JWTMiddleware,
    MemoryStore,
    Policy,
    PrivateKey,
    PublicKey,
    RemoteJWKSet,
    Revocations,
    SecretKey,
    TokenCookies,
    TokenIssuer,
    Verifier,
    from_cookie,
    protected,
    public,
    require,
    token_from,
)


class Forgetful:
    """A store without `add`."""

    def get(self, key: str) -> str | None:
        """Return nothing."""
        return None


def missing_arguments(key: SecretKey, pem: str) -> None:
    """Issuer and audience have no default, and a key needs its algorithm."""
    Verifier(key)  # type: ignore[call-arg]
    Verifier(key, issuer="a")  # type: ignore[call-arg]
    TokenIssuer(key, issuer="a")  # type: ignore[call-arg]
    PublicKey(pem)  # type: ignore[call-arg]
    PrivateKey(pem)  # type: ignore[call-arg]


def positional_options(app: WSGIApplication, verifier: Verifier, pem: str) -> None:
    """Options have names."""
    JWTMiddleware(app, verifier, Policy())  # type: ignore[call-arg]
    PublicKey(pem, "RS256")  # type: ignore[call-arg]


def wrong_keys(secret: str, private: PrivateKey, public_key: PublicKey) -> None:
    """A text is not a key, a private key does not verify, and a public key does not sign."""
    Verifier(secret, issuer="a", audience="b")  # type: ignore[arg-type]
    Verifier(private, issuer="a", audience="b")  # type: ignore[arg-type]
    TokenIssuer(public_key, issuer="a", audience="b")  # type: ignore[arg-type]
    SecretKey(None)  # type: ignore[arg-type]
    JWKSet(private)  # type: ignore[arg-type]


def wrong_values(key: SecretKey) -> None:
    """Numbers are not texts, and unknown options do not exist."""
    Verifier(key, issuer="a", audience="b", leeway="5")  # type: ignore[arg-type]
    Verifier(key, issuer="a", audience="b", verify_exp=False)  # type: ignore[call-arg]
    RemoteJWKSet.discover("https://id.example.com", maxage=5)  # type: ignore[call-arg]
    TokenCookies(same_site="lax")  # type: ignore[arg-type]
    CORS("https://app.example.com", credentials="yes")  # type: ignore[arg-type]
    Revocations(MemoryStore(), on_failure="ignore")  # type: ignore[arg-type]
    Revocations(Forgetful())  # type: ignore[arg-type]


def wrong_functions(app: WSGIApplication, verifier: Verifier, key: SecretKey) -> None:
    """A function that returns something else, or was not called, is not accepted."""
    JWTMiddleware(app, verifier, credential=from_cookie)  # type: ignore[arg-type]
    JWTMiddleware(app, verifier, render=lambda error, environ: "text")  # type: ignore[arg-type, return-value]
    JWTMiddleware(app, key)  # type: ignore[arg-type]
    Policy(public)  # type: ignore[arg-type]
    require("/a", check=lambda token: True)  # type: ignore[arg-type, misc]
    protected(methods=["GET"])  # type: ignore[call-arg]


def wrong_reads(environ: WSGIEnvironment, token: AccessToken) -> None:
    """A token does not change, and a claim may be absent."""
    token.subject = "bob"  # type: ignore[misc]
    token_from(environ).subject.upper()  # type: ignore[union-attr]
    token.user_id  # type: ignore[attr-defined]  # noqa: B018
