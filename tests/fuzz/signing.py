"""The keys of a fuzz run, and JOSE signatures over raw bytes, without the package or PyJWT."""

import base64
import hashlib
import hmac

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
_CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
# SEC 2 §2.4: the order of the group of each curve.
ORDERS = {
    "ES256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ES384": 2**384 - 1388124618062372383947042015309946732620727252194336364173,
    "ES512": 2**521
    - 657877501894328237357444332315020117536923257219387276263472201219398408051703,
}


class Signer:
    """One key with one algorithm. `public` is what verifies: the secret, or a public key."""

    def __init__(self, algorithm, key_id, private):
        self.algorithm = algorithm
        self.key_id = key_id
        self.private = private
        self.public = private if isinstance(private, bytes) else private.public_key()
        self._kind = algorithm[:2]
        self._hash = _HASHES.get(algorithm[2:])

    @property
    def pem(self):
        """The public key as PEM."""
        return self.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @property
    def size(self):
        """The length of each half of an ECDSA signature."""
        return (self.private.curve.key_size + 7) // 8

    def sign(self, data):
        """Return the JOSE signature of the bytes (RFC 7518 §3, RFC 8037 §3.1)."""
        if self._kind == "HS":
            return hmac.digest(self.private, data, self._hash.name)
        if self._kind == "RS":
            return self.private.sign(data, padding.PKCS1v15(), self._hash)
        if self._kind == "PS":
            pss = padding.PSS(padding.MGF1(self._hash), self._hash.digest_size)
            return self.private.sign(data, pss, self._hash)
        if self._kind == "ES":
            halves = utils.decode_dss_signature(self.private.sign(data, ec.ECDSA(self._hash)))
            return b"".join(half.to_bytes(self.size, "big") for half in halves)
        return self.private.sign(data)


class Keys:
    """All keys of a run. Those of HMAC, ECDSA and Ed25519 are the same in every run."""

    def __init__(self):
        rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        curves = {name: _elliptic(2**200 + 5, name) for name in _CURVES}
        self.secret = Signer("HS256", None, _secret("the one without a name"))
        self.hmac = [
            Signer(f"HS{bits}", f"hs-{bits}", _secret(f"HS{bits}")) for bits in (256, 384, 512)
        ]
        self.rsa = [Signer("RS256", "rs", rsa_key), Signer("PS256", "ps", rsa_key)]
        self.elliptic = [Signer(name, f"kid {name}", key) for name, key in curves.items()]
        self.edwards = Signer("EdDSA", "é-ed", _edwards(b"f" * 32))
        # Keys that no target knows, under names that targets know.
        self.strangers = {
            "HS256": Signer("HS256", "hs-256", _secret("nobody was told")),
            "ES256": Signer("ES256", "kid ES256", _elliptic(2**199 + 7, "ES256")),
            "EdDSA": Signer("EdDSA", "é-ed", _edwards(b"g" * 32)),
        }

    @property
    def asymmetric(self):
        """Every key pair."""
        return [*self.rsa, *self.elliptic, self.edwards]


def _secret(name):
    return hashlib.shake_256(name.encode()).hexdigest(48).encode()


def _elliptic(number, name):
    return ec.derive_private_key(number, _CURVES[name])


def _edwards(seed):
    return ed25519.Ed25519PrivateKey.from_private_bytes(seed)


def base64url(data):
    """Encode as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def from_base64url(segment):
    """Decode base64url without padding."""
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
