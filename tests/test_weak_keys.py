"""Weak public keys are refused in every form: as a member of a JWK set and as PEM."""

from base64 import encodebytes

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from jwt_middleware import ConfigurationError, JWKSet, PublicKey
from jwt_middleware.keys.weak_keys import check_ed25519
from tests.conftest import base64url

# Edwards25519 (RFC 8032 §5.1), computed here without any help of the package under test.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
IDENTITY = (0, 1)


def add(first, second):
    """Add two points (RFC 8032 §5.1.4)."""
    (x1, y1), (x2, y2) = first, second
    product = D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, P) % P
    return x, (y1 * y2 + x1 * x2) * pow(1 - product, -1, P) % P


def multiply(factor, point):
    """Add a point to itself so many times."""
    result = IDENTITY
    for bit in bin(factor)[2:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def x_of(y):
    """Return one x of the points with this y, or None (RFC 8032 §5.1.3)."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    return next((r for r in (x, x * pow(2, (P - 1) // 4, P) % P) if r * r % P == square), None)


def small_order_points():
    """Return the eight points of order 8 or less."""
    candidates = ((x_of(y), y) for y in range(2, 100))
    torsion = (multiply(L, point) for point in candidates if point[0] is not None)
    generator = next(point for point in torsion if multiply(4, point) != IDENTITY)
    return {multiply(factor, generator) for factor in range(8)}


def encodings(y):
    """Return all encodings of this y in 32 bytes, with either sign of x, canonical or not."""
    spellings = [value for value in (y, y + P) if value < 2**255]
    return [(value | sign << 255).to_bytes(32, "little") for value in spellings for sign in (0, 1)]


SMALL_ORDER = sorted({text for _, y in small_order_points() for text in encodings(y)})


def ed25519_pem(point):
    """Return a point, good or bad, as a public key in PEM form."""
    good = ed25519.Ed25519PrivateKey.generate().public_key()
    der = good.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return pem(der[:-32] + point)


def pem(der):
    """Return DER with the armour of a public key."""
    return b"-----BEGIN PUBLIC KEY-----\n" + encodebytes(der) + b"-----END PUBLIC KEY-----\n"


def from_jwk(jwk):
    """Load a JWK as the only member of a set."""
    return JWKSet({"keys": [jwk]}, on_event=lambda event: None)


def ed25519_jwk(point):
    return {"kty": "OKP", "crv": "Ed25519", "x": base64url(point)}


def test_there_are_fourteen_spellings_of_small_order():
    """Eight points have five y. Two of the y have a second encoding below 2^255."""
    assert len(small_order_points()) == 8
    assert len(SMALL_ORDER) == 14


@pytest.mark.parametrize("point", SMALL_ORDER, ids=bytes.hex)
@pytest.mark.parametrize("algorithm", ["EdDSA", "Ed25519"])
def test_ed25519_point_of_small_order_is_refused(point, algorithm):
    """Anybody could sign for it, so it is refused as a JWK and as PEM."""
    with pytest.raises(ConfigurationError, match="Ed25519 point"):
        from_jwk(ed25519_jwk(point) | {"alg": algorithm})
    with pytest.raises(ConfigurationError, match="Ed25519 point"):
        PublicKey(ed25519_pem(point), algorithm=algorithm)


@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize("excess", range(19))
def test_ed25519_point_that_is_not_canonical_is_refused(excess, sign):
    """A y of 2^255 - 19 or more (RFC 8032 §5.1.3) is refused, whether or not its point is weak."""
    point = (P + excess | sign << 255).to_bytes(32, "little")

    with pytest.raises(ConfigurationError, match="not encoded canonically"):
        from_jwk(ed25519_jwk(point))
    with pytest.raises(ConfigurationError, match="not encoded canonically"):
        PublicKey(ed25519_pem(point), algorithm="EdDSA")


@given(st.binary(min_size=32, max_size=32))
def test_ed25519_key_that_was_generated_is_accepted(seed):
    """No key pair has a public half that is refused."""
    public = ed25519.Ed25519PrivateKey.from_private_bytes(seed).public_key()

    check_ed25519(public.public_bytes(Encoding.Raw, PublicFormat.Raw))


def next_prime(number):
    """Return the first number from this one up that passes Fermat's test."""
    return next(n for n in range(number | 1, number + 10**5, 2) if pow(2, n - 1, n) == 1)


GOOD = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key().public_numbers()
CLOSE = next_prime((1 << 1023) + (1 << 1022))
RSA_MODULI = [
    pytest.param(1 << 2047, "even", id="power of two"),
    pytest.param(1 << 8191, "even", id="large power of two"),
    pytest.param(GOOD.n + 1, "even", id="even"),
    pytest.param(GOOD.n - GOOD.n % 6 + 3, "prime factor below 752", id="multiple of 3"),
    pytest.param(GOOD.n - GOOD.n % 1502 + 751, "prime factor below 752", id="multiple of 751"),
    pytest.param(3**1615, "prime factor below 752", id="power of 3"),
    pytest.param(CLOSE**2, "close primes", id="square"),
    pytest.param(CLOSE * next_prime(CLOSE + 2), "close primes", id="neighbours"),
]


@pytest.mark.parametrize(("modulus", "problem"), RSA_MODULI)
def test_rsa_modulus_that_is_easy_to_factor_is_refused(modulus, problem):
    """Anybody could compute the private key, so it is refused as a JWK and as PEM."""
    size = (modulus.bit_length() + 7) // 8
    jwk = {"kty": "RSA", "n": base64url(modulus.to_bytes(size)), "e": "AQAB"}

    with pytest.raises(ConfigurationError, match=problem):
        from_jwk(jwk)
    with pytest.raises(ConfigurationError, match=problem):
        PublicKey(rsa_pem(modulus), algorithm="PS256")


def rsa_pem(modulus):
    """Return an RSA key of RFC 8017 §A.1.1 with this modulus, which need not be one."""
    integer = tlv(2, b"\0" + modulus.to_bytes((modulus.bit_length() + 7) // 8))
    key = tlv(0x30, integer + tlv(2, b"\1\0\1"))
    algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
    return pem(tlv(0x30, algorithm + tlv(3, b"\0" + key)))


def tlv(tag, content):
    """Return a DER value with its tag and length."""
    length = len(content)
    if length < 128:
        return bytes([tag, length]) + content
    size = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes([tag, 128 + len(size)]) + size + content


def test_rsa_key_that_was_generated_is_accepted():
    """The forms made by hand above are read, so it is the modulus that is refused."""
    assert PublicKey(rsa_pem(GOOD.n), algorithm="RS256").key.material.public_numbers() == GOOD


CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}


def ec_points(curve):
    """Return encodings that look like a point of the curve but are not one."""
    public = ec.generate_private_key(curve).public_key()
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    size = (len(point) - 1) // 2
    return {
        "y changed": point[:-1] + bytes([point[-1] ^ 1]),
        "0, 0": b"\4" + bytes(2 * size),
        "beyond the field": b"\4" + b"\xff" * 2 * size,
        "infinity": b"\0",
    }


@pytest.mark.parametrize("form", ["y changed", "0, 0", "beyond the field", "infinity"])
@pytest.mark.parametrize("algorithm", CURVES)
def test_ec_point_off_its_curve_is_refused(algorithm, form):
    """A point that is not on the curve is refused as a JWK and as PEM."""
    curve = CURVES[algorithm]
    good = ec.generate_private_key(curve).public_key()
    der = good.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    point = ec_points(curve)[form]
    # SEQUENCE { AlgorithmIdentifier, BIT STRING }, of which the first part is kept.
    start = 3 if der[1] & 128 else 2
    algorithm_identifier = der[start : start + 2 + der[start + 1]]
    half = 1 + (len(point) - 1) // 2
    x, y = base64url(point[1:half]), base64url(point[half:])

    with pytest.raises(ConfigurationError, match="not a valid key"):
        from_jwk({"kty": "EC", "crv": f"P-{curve.key_size}", "x": x, "y": y})
    with pytest.raises(ConfigurationError, match=f"contain a key that {algorithm} can use"):
        PublicKey(pem(tlv(0x30, algorithm_identifier + tlv(3, b"\0" + point))), algorithm=algorithm)
