"""Keys and tokens: what every contender is given."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from jwt_middleware import PublicKey, SecretKey, Verifier

ISSUER = "https://id.example.com"
AUDIENCE = "https://api.example.com"
KEY_ID = "2026-11"
SECRET = b"a secret that is long enough for HS256, and known to everybody"

_GENERATE: Mapping[str, Callable[[], Any]] = {
    "HS256": lambda: SECRET,
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}
ALGORITHMS = tuple(_GENERATE)


@dataclass(frozen=True)
class Credentials:
    """A new key for one algorithm. `private` signs and `public` verifies.

    With HS256 both are the secret.
    """

    algorithm: str
    private: Any
    public: Any

    @property
    def pem(self) -> bytes:
        """The public key as PEM, or the secret itself."""
        if self.algorithm == "HS256":
            return SECRET
        pem: bytes = self.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem

    def token(self, **changes: Any) -> str:
        """Return a new token, with other claims where `changes` names some."""
        headers = {"typ": "at+jwt", "kid": KEY_ID}
        return jwt.encode(
            _claims() | changes, self.private, algorithm=self.algorithm, headers=headers
        )

    def verifier(self, *, cache_size: int = 1024) -> Verifier:
        """Return our verifier for its tokens."""
        return Verifier(
            verification_key(self.pem, self.algorithm),
            issuer=ISSUER,
            audience=AUDIENCE,
            cache_size=cache_size,
        )


def generate(algorithm: str) -> Credentials:
    """Make a key."""
    private = _GENERATE[algorithm]()
    return Credentials(
        algorithm, private, private if algorithm == "HS256" else private.public_key()
    )


def verification_key(pem: bytes, algorithm: str) -> SecretKey | PublicKey:
    """Load our key from what `Credentials.pem` returned."""
    if algorithm == "HS256":
        return SecretKey(pem, key_id=KEY_ID)
    return PublicKey(pem, algorithm=algorithm, key_id=KEY_ID)


def _claims() -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": ISSUER,
        "aud": [AUDIENCE, "https://reports.example.com"],
        "sub": "248289761001",
        "iat": now - 60,
        "nbf": now - 60,
        "exp": now + 36_000,
        "jti": str(uuid4()),
        "client_id": "5a2f1c9e-web-frontend",
        "scope": "openid profile email orders:read orders:write reports:read",
        "roles": ["customer", "beta-tester", "newsletter-editor"],
        "email": "jane.doe@customers.example.com",
        "name": "Jane Quincy Doe of the Customer Advisory Board, Northern Region, Example Inc.",
    }
