"""Local keys: what is refused at construction, and how a key set is searched."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
)

from jwt_middleware import ConfigurationError, JWKSet, PrivateKey, PublicKey, SecretKey, Verifier
from jwt_middleware.jose import ASYMMETRIC, HMAC, Key, parse_compact, public_jwk, public_pem, sign
from jwt_middleware.keys.key_set import CombinedKeySource, KeySet
from tests.conftest import SECRET, base64url, pem_of


def public_forms(private):
    """Return every form in which the public half of a key may be mistaken for a secret."""
    public = private.public_key()
    forms = {
        "PEM": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    }
    if not isinstance(private, ed448.Ed448PrivateKey):
        forms["OpenSSH"] = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return forms


KINDS = {
    "RSA": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "EC": ec.generate_private_key(ec.SECP256R1()),
}
PUBLIC_FORMS = [
    *(
        pytest.param(form, id=f"{kind} {name}")
        for kind, key in KINDS.items()
        for name, form in public_forms(key).items()
    ),
    pytest.param(
        KINDS["RSA"].public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1), id="RSA PKCS1 PEM"
    ),
    pytest.param(
        KINDS["RSA"].public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1), id="RSA PKCS1 DER"
    ),
    pytest.param(pem_of(KINDS["RSA"]), id="private PEM"),
    pytest.param(json.dumps({"kty": "oct", "k": "a" * 43}), id="JWK"),
    pytest.param(json.dumps({"keys": [{"kty": "RSA", "n": "a" * 43}]}), id="JWK set"),
    pytest.param(' [{"kty": "oct"}, "aaaaaaaaaaaaaaaaaaaaaa"]', id="JWK list"),
    pytest.param(b"-----BEGIN CERTIFICATE-----\nMIIB" + b"a" * 64, id="certificate PEM"),
]


@pytest.mark.parametrize("form", PUBLIC_FORMS)
def test_secret_key_refuses_whatever_is_a_key(form):
    """A public key can never be set as an HMAC secret: whoever reads it could sign with it."""
    with pytest.raises(ConfigurationError, match=r"^secret: this is a key"):
        SecretKey(form)


@pytest.mark.parametrize(("algorithm", "least"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_secret_key_needs_as_many_bytes_as_its_hash(algorithm, least):
    """A secret is as long as the hash or longer (RFC 7518 §3.2)."""
    assert SecretKey(SECRET[:least], algorithm=algorithm).key.algorithm == algorithm

    with pytest.raises(
        ConfigurationError,
        match=f"{least - 1} bytes are too short for {algorithm}, which needs {least}",
    ):
        SecretKey(SECRET[: least - 1], algorithm=algorithm)


def test_secret_key_counts_bytes():
    """A secret of sixteen two-byte characters has thirty-two bytes."""
    secret = "ßàáâãäåæçèéêëìíî"

    assert SecretKey(secret).key.material == secret.encode()


def test_secret_key_reports_all_faults():
    """Algorithm, secret and key id are checked together."""
    with pytest.raises(ConfigurationError) as caught:
        SecretKey("short", algorithm="RS256", key_id="")

    assert [fault.partition(":")[0] for fault in caught.value.problems] == [
        "algorithm",
        "secret",
        "key_id",
    ]


@pytest.mark.parametrize("key_id", ["", 5, b"a", ["a"]])
def test_key_id_is_a_name(key_id):
    """A ``kid`` is a str that is not empty; tokens could name no other."""
    with pytest.raises(ConfigurationError, match=r"^key_id: .* is not a kid"):
        SecretKey(SECRET, key_id=key_id)


@pytest.mark.parametrize("secret", [None, 5, ["x" * 32], bytearray(b"x" * 32), "\ud800" * 32])
def test_secret_key_takes_str_and_bytes_only(secret):
    """A value of another type is refused, and the message does not show it."""
    with pytest.raises(ConfigurationError, match=rf"an? {type(secret).__name__} is not a secret"):
        SecretKey(secret)


@pytest.mark.parametrize("algorithm", ["none", "hs256", "", "HS1", None, ["HS256"]])
def test_secret_key_with_unknown_algorithm_is_refused(algorithm):
    """Only the three HMAC algorithms take a secret."""
    with pytest.raises(ConfigurationError, match=r"^algorithm: "):
        SecretKey(SECRET, algorithm=algorithm)


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(SecretKey(SECRET), id="secret"),
        pytest.param(SecretKey(SECRET).key, id="key"),
        pytest.param(PrivateKey(pem_of(KINDS["EC"]), algorithm="ES256"), id="private"),
        pytest.param(PrivateKey(pem_of(KINDS["EC"]), algorithm="ES256").public_key(), id="public"),
        pytest.param(
            JWKSet(
                {"keys": [{"kty": "oct", "k": "c2VjcmV0" + base64url(SECRET[:48])}]},
                algorithms=HMAC,
            ),
            id="set",
        ),
    ],
)
def test_repr_hides_the_material(key):
    """A key in a log shows its algorithm and id only."""
    shown = repr(key)

    assert "secret of" not in shown
    assert "c2VjcmV0" not in shown
    assert "object at" not in shown
    assert key.__class__.__name__ in shown


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_private_key_and_its_public_half_agree(private_keys, algorithm):
    """What a private key signs, its public half verifies, under the same id."""
    private = private_keys[algorithm]
    public = private.public_key()

    (key,) = public.current().find(algorithm, f"key-{algorithm}")
    _, _, signing_input, signature = parse_compact(sign({}, private.key, typ="JWT"))
    assert key.verify(signing_input, signature)
    assert not key.verify(signing_input + b"x", signature)
    assert (public.key.algorithm, public.key.key_id) == (algorithm, f"key-{algorithm}")


def test_ed25519_goes_by_both_names(private_keys):
    """EdDSA and Ed25519 name one algorithm (RFC 9864 §2.2)."""
    key_set = private_keys["EdDSA"].public_key().current()

    assert key_set.algorithms == {"EdDSA", "Ed25519"}


def test_public_key_takes_str_and_bytes(private_keys):
    """A PEM file may have been read as text or as bytes."""
    pem = public_pem(private_keys["RS256"].key)

    assert (
        PublicKey(pem.decode(), algorithm="RS256").current().algorithms
        == PublicKey(pem, algorithm="RS256").current().algorithms
    )


ENCRYPTED = KINDS["RSA"].private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
)


@pytest.mark.parametrize(
    ("pem", "algorithm"),
    [
        pytest.param(pem_of(KINDS["RSA"]), "ES256", id="RSA key for ECDSA"),
        pytest.param(pem_of(KINDS["EC"]), "RS256", id="EC key for RSA"),
        pytest.param(pem_of(KINDS["EC"]), "ES384", id="P-256 for ES384"),
        pytest.param(pem_of(KINDS["EC"]), "EdDSA", id="EC key for EdDSA"),
        pytest.param(pem_of(ed448.Ed448PrivateKey.generate()), "EdDSA", id="Ed448"),
        pytest.param(pem_of(ec.generate_private_key(ec.SECP256K1())), "ES256", id="secp256k1"),
        pytest.param(
            pem_of(rsa.generate_private_key(public_exponent=65537, key_size=1024)),
            "RS256",
            id="1024 bits",
        ),
        pytest.param(
            b"-----BEGIN PRIVATE KEY-----\nbm8=\n-----END PRIVATE KEY-----\n", "RS256", id="no key"
        ),
        pytest.param(b"-----BEGIN PRIVATE KEY-----", "EdDSA", id="cut off"),
    ],
)
def test_private_key_that_does_not_fit_is_refused(pem, algorithm):
    """Type, curve, size and form of a PEM key are checked when it is loaded."""
    with pytest.raises(ConfigurationError, match=r"^pem: "):
        PrivateKey(pem, algorithm=algorithm)


def test_public_key_refuses_a_private_one(pems):
    """A private key where a public one belongs is pointed out."""
    with pytest.raises(
        ConfigurationError,
        match=r"not a public key in PEM form; write PrivateKey\(pem, ...\).public_key\(\)",
    ):
        PublicKey(pems["RS256"], algorithm="RS256")


def test_private_key_refuses_a_public_one(private_keys):
    """A public key cannot sign."""
    with pytest.raises(
        ConfigurationError, match="not a private key in PEM form; only a private key signs"
    ):
        PrivateKey(public_pem(private_keys["RS256"].key), algorithm="RS256")


@pytest.mark.parametrize(
    ("pem", "named"),
    [
        pytest.param(ENCRYPTED, "this key is encrypted", id="encrypted"),
        pytest.param(
            pem_of(KINDS["RSA"]).replace(b"\n", rb"\n"),
            r"pem\.replace",
            id="out of an environment variable",
        ),
        pytest.param(
            b"-----BEGIN CERTIFICATE-----", "public key of a certificate", id="certificate"
        ),
        pytest.param(b"MIIE", "the whole text", id="no BEGIN line"),
    ],
)
def test_pem_that_is_mistaken_for_a_key_is_told_the_way(pem, named):
    """The usual mistakes each have their own advice."""
    with pytest.raises(ConfigurationError, match=named):
        PrivateKey(pem, algorithm="RS256")


@pytest.mark.parametrize("algorithm", ["HS256", "none", "RS1", None])
def test_pem_key_with_unknown_algorithm_is_refused(pems, algorithm):
    """A key pair needs one of the asymmetric algorithms."""
    with pytest.raises(ConfigurationError, match=r"^algorithm: .* does not use a key pair"):
        PrivateKey(pems["RS256"], algorithm=algorithm)


@pytest.mark.parametrize("pem", [None, 5, "not a key", b"", "\ud800"])
def test_pem_key_that_is_no_pem_is_refused(pem):
    """A value that is not PEM is refused."""
    with pytest.raises(ConfigurationError, match=r"^pem: "):
        PublicKey(pem, algorithm="RS256")


@pytest.fixture
def jwk(private_keys):
    """The published form of an ES256 key."""
    public = private_keys["ES256"].public_key()
    x, y = (number.to_bytes(32) for number in _coordinates(public))
    return {"kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y), "kid": "ec"}


def _coordinates(public):
    numbers = public.key.material.public_numbers()
    return numbers.x, numbers.y


@pytest.mark.parametrize(
    "form",
    [dict, json.dumps, lambda document: json.dumps(document).encode()],
    ids=["dict", "str", "bytes"],
)
def test_jwk_set_takes_document_or_text(jwk, form):
    """A set may be given parsed or as JSON."""
    assert JWKSet(form({"keys": [jwk]})).current().algorithms == {"ES256"}


def test_jwk_set_drops_bad_members_with_an_event_each(jwk):
    """Each bad key is reported, and the good keys of the same set keep working."""
    events = []

    keys = JWKSet({"keys": [jwk, 5, jwk | {"kid": "x", "use": "enc"}]}, on_event=events.append)

    assert [key.key_id for key in keys.current().keys] == ["ec"]
    assert [(event.position, event.key_id, event.problem) for event in events] == [
        (1, None, "not an object"),
        (2, "x", "its use is not sig"),
    ]


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({}, id="no keys"),
        pytest.param({"keys": {}}, id="keys is no list"),
        pytest.param({"keys": []}, id="empty"),
        pytest.param({"keys": [1, None]}, id="nothing usable"),
        pytest.param("[]", id="no object"),
        pytest.param("{", id="no JSON"),
        pytest.param(5, id="no document"),
    ],
)
def test_jwk_set_without_usable_key_is_refused(document):
    """A set that can verify nothing is a mistake at start."""
    with pytest.raises(ConfigurationError, match=r"^document: "):
        JWKSet(document, on_event=lambda event: None)


@pytest.mark.parametrize(
    "algorithms",
    [
        pytest.param([], id="none at all"),
        pytest.param("RS256", id="a str"),
        pytest.param(["RS256", "XS1"], id="unknown"),
        pytest.param(["none"], id="none"),
        pytest.param(5, id="a number"),
        pytest.param([["RS256"]], id="a list of lists"),
        pytest.param(["HS256", "RS256"], id="secrets and public keys"),
    ],
)
def test_jwk_set_with_unusable_algorithms_is_refused(jwk, algorithms):
    """Secrets and public keys never share a set, and unknown algorithms are named."""
    with pytest.raises(ConfigurationError, match=r"^algorithms: "):
        JWKSet({"keys": [jwk]}, algorithms=algorithms)


def key_set_of(*ids):
    return KeySet(
        SecretKey(f"{index}{SECRET}", key_id=key_id).key for index, key_id in enumerate(ids)
    )


@pytest.mark.parametrize(
    ("ids", "key_id", "found"),
    [
        pytest.param(["a", "b"], "a", ["a"], id="the one it names"),
        pytest.param(["a", None], "a", ["a"], id="only the one it names"),
        pytest.param(["a", "b"], "c", [], id="none by that name"),
        pytest.param(["a", None], "c", [None], id="one without a name"),
        pytest.param(["a", "b", None], None, ["a", "b", None], id="no name asked for"),
    ],
)
def test_key_set_finds_keys_by_id(ids, key_id, found):
    """A ``kid`` selects its key. Other tokens are checked with the keys without ``kid``, or all."""
    assert [key.key_id for key in key_set_of(*ids).find("HS256", key_id)] == found


def test_key_set_never_offers_a_key_of_another_algorithm():
    """A token that says RS256 is never checked with an HS256 key, with or without ``kid``."""
    key_set = key_set_of("a", None)

    assert (
        list(key_set.find("RS256", "a"))
        == list(key_set.find("RS256", "b"))
        == list(key_set.find("RS256", None))
        == []
    )


@pytest.fixture(scope="module")
def nine():
    """Nine published P-256 keys, each with a ``kid``."""
    keys = [Key("ES256", str(n), ec.generate_private_key(ec.SECP256R1())) for n in range(9)]
    return [public_jwk(key) for key in keys]


def test_jwk_set_holds_eight_keys_of_an_algorithm_at_most(nine, jwk):
    """A token without ``kid`` would be checked with all of them."""
    assert len(JWKSet({"keys": nine[1:]}).current().keys) == 8

    with pytest.raises(ConfigurationError, match=r"^document: more than 8 keys of ES256"):
        JWKSet({"keys": nine})


def test_keys_of_a_verifier_are_counted_together(nine):
    """A list of small sets is as many keys as one large set; the message names the argument."""
    sets = [JWKSet({"keys": nine[:4]}), JWKSet({"keys": nine[4:8]})]
    assert Verifier(sets, issuer=None, audience=None)

    with pytest.raises(ConfigurationError, match=r"^keys: more than 8 keys of ES256.*; leeway: "):
        Verifier([*sets, JWKSet({"keys": nine[8:]})], issuer=None, audience=None, leeway=-1)


def test_keys_of_different_algorithms_are_counted_apart(nine, private_keys):
    """A key of another algorithm costs such a token nothing."""
    others = [key.public_key() for name, key in private_keys.items() if name != "ES256"]

    assert Verifier([JWKSet({"keys": nine[1:]}), *others], issuer=None, audience=None)


def test_combined_keys_hold_all_and_follow_changes():
    """Several sources give one key set, which stays the same until one of them changes."""

    class Changing:
        def __init__(self):
            self.now = key_set_of("new")

        def current(self):
            return self.now

        def refresh_if_stale(self):
            return self.now

    changing = Changing()
    combined = CombinedKeySource([SecretKey(SECRET, key_id="old"), changing])

    before = combined.refresh_if_stale()
    assert [key.key_id for key in before.keys] == ["old", "new"]
    assert combined.current() is before
    changing.now = key_set_of("newer")
    assert [key.key_id for key in combined.current().keys] == ["old", "newer"]
