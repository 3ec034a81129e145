"""`SecretKey` refuses what is obviously not a secret, and accepts every random secret."""

import base64
import json
import secrets

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from jwt_middleware import ConfigurationError, JWKSet, SecretKey
from jwt_middleware.jose import HMAC, Key, public_jwk
from tests.conftest import base64url

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PRIVATE = {
    "RSA": RSA,
    "RSA of 1024 bits": rsa.generate_private_key(public_exponent=65537, key_size=1024),
    "DSA": dsa.generate_private_key(1024),
    "P-256": ec.generate_private_key(ec.SECP256R1()),
    "P-384": ec.generate_private_key(ec.SECP384R1()),
    "P-521": ec.generate_private_key(ec.SECP521R1()),
    "secp256k1": ec.generate_private_key(ec.SECP256K1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
    "X25519": x25519.X25519PrivateKey.generate(),
}
SPKI, PKCS1 = PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1


def der_forms():
    """Return public and private keys in DER, by name."""
    forms = {}
    for name, key in PRIVATE.items():
        forms[f"{name} public"] = key.public_key().public_bytes(Encoding.DER, SPKI)
        forms[f"{name} private"] = key.private_bytes(
            Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
        )
        if not isinstance(key, ed25519.Ed25519PrivateKey | x25519.X25519PrivateKey):
            forms[f"{name} traditional"] = key.private_bytes(
                Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()
            )
        if isinstance(key, rsa.RSAPrivateKey):
            forms[f"{name} PKCS1"] = key.public_key().public_bytes(Encoding.DER, PKCS1)
    # What is written of a DSA key traditionally is six numbers, which nothing tells from others.
    del forms["DSA traditional"]
    forms["ML-DSA-44 public"] = bytes.fromhex("30820532300b0609608648016503040311") + bytes(1317)
    return forms


DER = der_forms()
PEM = RSA.public_key().public_bytes(Encoding.PEM, SPKI)
OPENSSH = {
    name: PRIVATE[name].public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    for name in ("RSA", "P-256", "Ed25519")
}
JWK = public_jwk(Key("RS256", "a", RSA))
MODULUS = f"{RSA.public_key().public_numbers().n:X}"
WRAPPINGS = {
    "as it is": lambda der: der,
    "with a line break": lambda der: der + b"\n",
    "cut off": lambda der: der[:-1],
    "base64": base64.b64encode,
    "base64 in lines": base64.encodebytes,
    "base64 without padding": lambda der: base64.b64encode(der).rstrip(b"="),
    "base64url": base64.urlsafe_b64encode,
    "base64 after a name": lambda der: b'{"key": "' + base64.b64encode(der) + b'"}',
    "base64 with \\n": lambda der: base64.encodebytes(der).replace(b"\n", rb"\n"),
    "base64 of base64": lambda der: base64.b64encode(base64.b64encode(der)),
    "base64 in UTF-16": lambda der: base64.b64encode(der).decode().encode("utf-16"),
    "hex": lambda der: der.hex().encode(),
    "hex with colons": lambda der: der.hex(":").upper().encode(),
    "PEM in UTF-16": lambda der: armoured(der).decode().encode("utf-16"),
    "PEM in UTF-16, other order": lambda der: armoured(der).decode().encode("utf-16-be"),
    "PEM in base64": lambda der: base64.b64encode(armoured(der)),
    "PEM without its first line": lambda der: armoured(der).partition(b"\n")[2],
}


def armoured(der):
    """Return DER as PEM."""
    return b"-----BEGIN X-----\n" + base64.encodebytes(der) + b"-----END X-----\n"


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS)
@pytest.mark.parametrize("der", DER.values(), ids=DER)
def test_key_in_any_wrapping_is_not_a_secret(der, wrap):
    """A key is refused also in base64, hex or UTF-16, because its readers could sign."""
    with pytest.raises(ConfigurationError, match=r"^secret: this is a key"):
        SecretKey(wrap(der))


OTHER_FORMS = [
    *(pytest.param(line, id=f"OpenSSH {name}") for name, line in OPENSSH.items()),
    *(
        pytest.param(line.split()[1], id=f"OpenSSH {name}, the base64 alone")
        for name, line in OPENSSH.items()
    ),
    pytest.param(b"restrict,pty " + OPENSSH["RSA"], id="a line of authorized_keys"),
    pytest.param("---- BEGIN SSH2 PUBLIC KEY ----\nComment: x", id="SSH2"),
    pytest.param("PuTTY-User-Key-File-3: ssh-ed25519\n", id="PuTTY"),
    pytest.param(json.dumps(JWK), id="JWK as JSON"),
    pytest.param(json.dumps(JWK, indent=2), id="JWK as JSON in lines"),
    pytest.param(str(JWK), id="JWK as str of a dict"),
    pytest.param(json.dumps(json.dumps(JWK)), id="JWK as JSON in JSON"),
    pytest.param(base64.b64encode(json.dumps(JWK).encode()), id="JWK in base64"),
    pytest.param(json.dumps(JWK).encode("utf-16"), id="JWK in UTF-16"),
    pytest.param(json.dumps({"keys": [JWK]}), id="JWK set"),
    pytest.param(str([JWK]), id="list of JWKs"),
    pytest.param(f"kty: RSA\nn: {JWK['n']}\n", id="JWK as YAML"),
    pytest.param(json.dumps({"e": "AQAB", "n": JWK["n"]}), id="JWK without its type"),
    pytest.param(f"Modulus={MODULUS}", id="modulus of openssl"),
    pytest.param(f"<RSAKeyValue><Modulus>{JWK['n']}</Modulus>", id="modulus in XML"),
]


@pytest.mark.parametrize("form", OTHER_FORMS)
def test_key_in_another_notation_is_not_a_secret(form):
    """JWK, OpenSSH and their like are recognized however they were turned into text."""
    with pytest.raises(ConfigurationError, match=r"^secret: this is a key"):
        SecretKey(form)


PATTERNS = [
    pytest.param(bytes(32), id="zero bytes"),
    pytest.param(b"x" * 64, id="one byte"),
    pytest.param(b"x" * 63 + b"y", id="one byte but for the last"),
    pytest.param(b"abcd" * 16, id="a block of four"),
    pytest.param(b"password" * 4, id="a block of eight"),
    pytest.param(b"your words" * 3 + b"your", id="a block of ten, cut off"),
    pytest.param(b"0123456789abcdef" * 2, id="a block of sixteen"),
    pytest.param(b"abdcacbddbacdacbbdcaadcbcdabbacd", id="four letters"),
    pytest.param(bytes(range(32)), id="ascending"),
    pytest.param(bytes(range(255, 191, -1)), id="descending"),
    pytest.param(b"abcdefghijklmnopqrstuvwxyz0123456789", id="the alphabet"),
]


@pytest.mark.parametrize("secret", PATTERNS)
def test_pattern_is_not_a_secret(secret):
    """A repeated byte or a similar pattern is refused at any length."""
    with pytest.raises(ConfigurationError, match=r"^secret: this is a pattern"):
        SecretKey(secret)


EXAMPLES = [
    "a shared secret of at least 32 bytes",
    "a secret that has 32 bytes or more",
    "your-256-bit-secret-your-256-bit",
    "your-512-bit-secret-that-is-long-enough",
    "a-string-secret-at-least-256-bits-long",
    "your-super-secret-jwt-token-with-at-least-32-characters-long",
    "YOUR_JWT_SECRET_KEY_GOES_HERE_PLEASE",
    "my-secret-token-to-change-in-production",
    "changeme-changeme-please-changeme!",
    "please change this string before use",
    "replace it with your own secret, any string",
    "3EK6FD+o0+c7tzBNVfjpMkNDi2yARAAKzQlk8O2IKoxQu4nF7EdAh8s3TwpHwrdWT6R",
    "reallyreallyreallyreallyverysafe",
    "09D25E094FAA6CA2556C818166B7A9563B93F7099F6F0F4CAA6CF63B88E8D3E7",
    "404e635266556a586e3272357538782f413f4428472b4b6250645367566b5970",
]


@pytest.mark.parametrize("secret", EXAMPLES)
def test_example_of_documentation_is_not_a_secret(secret):
    """What stands in documentation, this package's included, is known to everybody."""
    with pytest.raises(ConfigurationError, match=r"^secret: this is an example"):
        SecretKey(secret)


def test_jwk_of_a_secret_holds_no_other_key():
    """A public key in the member `k` is refused too: whoever reads it could sign."""
    document = {"keys": [{"kty": "oct", "k": base64url(PEM)}]}

    with pytest.raises(ConfigurationError, match="its secret is a key in PEM"):
        JWKSet(document, algorithms=HMAC, on_event=lambda event: None)


def test_refusal_does_not_show_the_secret():
    """The message may end in a log; what was refused may be in use elsewhere."""
    with pytest.raises(ConfigurationError) as caught:
        SecretKey("password" * 4)

    assert "password" not in str(caught.value)


GENERATORS = {
    "token_bytes": lambda size: secrets.token_bytes(size),
    "token_hex": lambda size: secrets.token_hex(size // 2),
    "hex in capitals": lambda size: secrets.token_hex(size).upper(),
    "hex with colons": lambda size: secrets.token_bytes(size).hex(":"),
    "token_urlsafe": lambda size: secrets.token_urlsafe(size),
    "base64": lambda size: base64.b64encode(secrets.token_bytes(size)),
    "base64 in lines": lambda size: base64.encodebytes(secrets.token_bytes(size)),
    "base64 of hex": lambda size: base64.b64encode(secrets.token_hex(size).encode()),
    "base32": lambda size: base64.b32encode(secrets.token_bytes(size)),
    "ascii85": lambda size: base64.a85encode(secrets.token_bytes(size)),
}


@pytest.mark.parametrize("generate", GENERATORS.values(), ids=GENERATORS)
@pytest.mark.parametrize("size", [32, 33, 48, 64, 256])
def test_random_secret_is_accepted(generate, size):
    """No random secret, in any of the usual notations, is mistaken for something else."""
    for _ in range(200):
        assert SecretKey(generate(size)).current().keys


@pytest.mark.parametrize(
    "start", [b"\x30\x1e", b"\x30\x1e\x30", b"\x30\x1e\x02", b"\xff\xfe", b"\0"]
)
def test_random_secret_that_begins_like_a_key_is_accepted(start):
    """The first bytes of DER and UTF-16 are allowed, because random secrets may have them."""
    for _ in range(200):
        assert SecretKey(start + secrets.token_bytes(32 - len(start))).current().keys


def test_bare_modulus_is_not_recognized():
    """A modulus without anything around it looks like random bytes, which must not be refused."""
    assert SecretKey(JWK["n"]).current().keys
