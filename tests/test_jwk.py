"""Reading JWK sets: each reason to drop a member, and that the good keys keep working."""

import json
from contextlib import suppress
from math import prod

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from jwt_middleware import ConfigurationError, JWKSet
from jwt_middleware.events import KeyDropped
from jwt_middleware.jose import ASYMMETRIC, HMAC, Key, parse_compact, public_jwk, sign
from jwt_middleware.keys.jwk import read_jwk_set
from tests.conftest import base64url

RSA_ALGORITHMS = [name for name in ASYMMETRIC if name[:2] in {"RS", "PS"}]
PRIVATE = {
    "RSA": Key("RS256", "RSA", rsa.generate_private_key(public_exponent=65537, key_size=2048)),
    "P-256": Key("ES256", "P-256", ec.generate_private_key(ec.SECP256R1())),
    "P-384": Key("ES384", "P-384", ec.generate_private_key(ec.SECP384R1())),
    "P-521": Key("ES512", "P-521", ec.generate_private_key(ec.SECP521R1())),
    "Ed25519": Key("EdDSA", "Ed25519", ed25519.Ed25519PrivateKey.generate()),
}
# Without alg and use, which are what many tests change.
JWKS = {
    name: {k: v for k, v in public_jwk(key).items() if k not in {"alg", "use"}}
    for name, key in PRIVATE.items()
}
RANDOM = bytes.fromhex("d1e0c93b5f7a2486") + bytes(17 * n * n % 251 for n in range(56))
SECRET = {"kty": "oct", "k": base64url(RANDOM), "kid": "secret"}


def number(value):
    """Write a number as RSA's members are written (RFC 7518 §2, Base64urlUInt)."""
    return base64url(value.to_bytes((value.bit_length() + 7) // 8))


def modulus(bits):
    """Return an odd number of this length. It may be easy to factor."""
    return (1 << bits - 1) + 12345


def roca_modulus():
    """Return a number with the residues of the flawed generator: powers of 65537."""
    primorial = prod(p for p in range(3, 168) if all(p % q for q in range(2, p)))
    start = pow(65537, 1234, primorial)
    value = start + primorial * ((1 << 2047) // primorial + 1)
    return value if value % 2 else value + primorial


def changed(name, **changes):
    """Return a good JWK with members changed; Ellipsis removes one."""
    return {k: v for k, v in (JWKS[name] | {"kid": "changed"} | changes).items() if v is not ...}


def read(*members, algorithms=ASYMMETRIC):
    """Return the keys as (algorithm, kid), and the dropped members as (position, problem)."""
    keys, dropped = read_jwk_set({"keys": list(members)}, algorithms)
    return [(key.algorithm, key.key_id) for key in keys], [
        (event.position, event.problem) for event in dropped
    ]


def verifies(keys, private):
    """Tell whether one of the keys made a signature of the private one."""
    _, _, signing_input, signature = parse_compact(sign({}, private, typ="JWT"))
    return any(
        key.verify(signing_input, signature) for key in keys if key.algorithm == private.algorithm
    )


def test_good_keys_are_all_there():
    """Every kind of key is read, Ed25519 under both of its names."""
    keys, dropped = read(*JWKS.values())

    assert dropped == []
    assert {algorithm for algorithm, _ in keys} == set(ASYMMETRIC)


NO_OBJECT = "not an object"
KID = "its kid is not a string"
USE = "its use is not sig"
OPERATIONS = "its key_ops do not include verify"
IS_PRIVATE = "it is a private key"
TYPE = "its type or curve is not supported"
ALGORITHM = "its alg does not fit its type or curve"
NOT_ALLOWED = "no allowed algorithm can use it"
SIZE = "its RSA modulus has not 2048 to 8192 bits"
EXPONENT = "its RSA exponent is not an odd number from 3 to 2^33"
ROCA = "its RSA modulus has the ROCA weakness (CVE-2017-15361)"
MATERIAL = "its members are not a valid key"
NO_STRING = "not a string"

MALFORMED = [
    pytest.param(5, NO_OBJECT, id="number"),
    pytest.param(None, NO_OBJECT, id="null"),
    pytest.param("RSA", NO_OBJECT, id="string"),
    pytest.param([JWKS["RSA"]], NO_OBJECT, id="list"),
    pytest.param({}, TYPE, id="empty object"),
    pytest.param(changed("RSA", kid=5), KID, id="kid a number"),
    pytest.param(changed("RSA", kid=["a"]), KID, id="kid a list"),
    pytest.param(changed("RSA", kid={}), KID, id="kid an object"),
    pytest.param(changed("RSA", issuer=5), "its issuer is not a string", id="issuer a number"),
    pytest.param(changed("RSA", use="enc"), USE, id="use enc"),
    pytest.param(changed("RSA", use="SIG"), USE, id="use in another case"),
    pytest.param(changed("RSA", use=None), USE, id="use null"),
    pytest.param(changed("RSA", use=["sig"]), USE, id="use a list"),
    pytest.param(changed("RSA", key_ops=[]), OPERATIONS, id="key_ops empty"),
    pytest.param(changed("RSA", key_ops=["sign"]), OPERATIONS, id="key_ops without verify"),
    pytest.param(changed("RSA", key_ops="verify"), OPERATIONS, id="key_ops a string"),
    pytest.param(changed("RSA", key_ops=None), OPERATIONS, id="key_ops null"),
    pytest.param(changed("RSA", key_ops={"verify": 1}), OPERATIONS, id="key_ops an object"),
    *(
        pytest.param(changed("RSA", **{name: "AQAB"}), IS_PRIVATE, id=f"RSA {name}")
        for name in ("d", "p", "q", "dp", "dq", "qi")
    ),
    pytest.param(changed("RSA", oth=[]), IS_PRIVATE, id="RSA oth"),
    pytest.param(changed("P-256", d=base64url(b"d" * 32)), IS_PRIVATE, id="EC d"),
    pytest.param(changed("Ed25519", d=None), IS_PRIVATE, id="OKP d null"),
    pytest.param(changed("RSA", kty=...), TYPE, id="no type"),
    pytest.param(changed("RSA", kty="rsa"), TYPE, id="type in another case"),
    pytest.param(changed("RSA", kty="AKP"), TYPE, id="type unknown"),
    pytest.param(changed("RSA", kty=5), TYPE, id="type a number"),
    pytest.param(changed("RSA", kty=["RSA"]), TYPE, id="type a list"),
    pytest.param(changed("P-256", crv=...), TYPE, id="no curve"),
    pytest.param(changed("P-256", crv=None), TYPE, id="curve null"),
    pytest.param(changed("P-256", crv=256), TYPE, id="curve a number"),
    pytest.param(changed("P-256", crv=["P-256"]), TYPE, id="curve a list"),
    pytest.param(changed("P-256", crv="secp256k1"), TYPE, id="curve of Bitcoin"),
    pytest.param(changed("P-256", crv="Ed25519"), TYPE, id="curve of another type"),
    pytest.param(changed("Ed25519", crv="Ed448"), TYPE, id="Ed448"),
    pytest.param(changed("Ed25519", crv="X25519"), TYPE, id="X25519"),
    pytest.param(changed("RSA", crv=5), TYPE, id="RSA with a curve that is a number"),
    pytest.param(changed("RSA", alg="ES256"), ALGORITHM, id="alg of another type"),
    pytest.param(changed("RSA", alg="HS256"), ALGORITHM, id="alg of a secret"),
    pytest.param(changed("RSA", alg="RSA-OAEP"), ALGORITHM, id="alg of encryption"),
    pytest.param(changed("RSA", alg="none"), ALGORITHM, id="alg none"),
    pytest.param(changed("RSA", alg="rs256"), ALGORITHM, id="alg in another case"),
    pytest.param(changed("RSA", alg=""), ALGORITHM, id="alg empty"),
    pytest.param(changed("RSA", alg=256), ALGORITHM, id="alg a number"),
    pytest.param(changed("RSA", alg=["RS256"]), ALGORITHM, id="alg a list"),
    pytest.param(changed("RSA", alg={}), ALGORITHM, id="alg an object"),
    pytest.param(changed("P-256", alg="ES384"), ALGORITHM, id="alg of another curve"),
    pytest.param(changed("P-521", alg="ES521"), ALGORITHM, id="alg that does not exist"),
    pytest.param(changed("Ed25519", alg="Ed448"), ALGORITHM, id="alg of the other Edwards curve"),
    pytest.param(SECRET, NOT_ALLOWED, id="secret"),
    pytest.param(SECRET | {"alg": "HS256"}, NOT_ALLOWED, id="secret with alg"),
    pytest.param(SECRET | {"alg": "RS256"}, ALGORITHM, id="secret that poses as RSA"),
    pytest.param(changed("RSA", n=...), NO_STRING, id="no modulus"),
    pytest.param(changed("RSA", n=5), NO_STRING, id="modulus a number"),
    pytest.param(changed("RSA", e=...), NO_STRING, id="no exponent"),
    pytest.param(changed("RSA", e=65537), NO_STRING, id="exponent a number"),
    pytest.param(changed("P-256", x=...), NO_STRING, id="no x"),
    pytest.param(changed("P-256", y=None), NO_STRING, id="y null"),
    pytest.param(changed("Ed25519", x=["a"]), NO_STRING, id="x a list"),
    pytest.param(changed("RSA", n=""), SIZE, id="modulus empty"),
    pytest.param(changed("RSA", n=number(modulus(1024))), SIZE, id="1024 bits"),
    pytest.param(changed("RSA", n=number(modulus(2047))), SIZE, id="2047 bits"),
    pytest.param(changed("RSA", n=number(modulus(8193))), SIZE, id="8193 bits"),
    pytest.param(
        changed("RSA", n=base64url(b"\0" * 200 + b"\1" * 56)), SIZE, id="leading zeros do not count"
    ),
    pytest.param(changed("RSA", e=""), EXPONENT, id="exponent empty"),
    pytest.param(changed("RSA", e=number(1)), EXPONENT, id="exponent 1"),
    pytest.param(changed("RSA", e=number(2)), EXPONENT, id="exponent 2"),
    pytest.param(changed("RSA", e=number(65536)), EXPONENT, id="exponent even"),
    pytest.param(changed("RSA", e=number(2**33 + 1)), EXPONENT, id="exponent beyond 2^33"),
    pytest.param(changed("RSA", e=number(2**64 + 1)), EXPONENT, id="exponent beyond 64 bits"),
    pytest.param(changed("RSA", n=number(roca_modulus())), ROCA, id="ROCA"),
    pytest.param(changed("P-256", x=JWKS["P-256"]["y"]), MATERIAL, id="point off the curve"),
    pytest.param(
        changed("P-256", x=base64url(bytes(32)), y=base64url(bytes(32))), MATERIAL, id="point 0, 0"
    ),
    pytest.param(
        changed("P-256", x=JWKS["P-384"]["x"], y=JWKS["P-384"]["y"]),
        MATERIAL,
        id="point of another curve",
    ),
    pytest.param(changed("P-256", x=base64url(b"x" * 31)), MATERIAL, id="x too short"),
    pytest.param(
        changed("P-256", x=base64url(b"\0"), y=base64url(b"\0")), MATERIAL, id="one byte each"
    ),
    pytest.param(changed("Ed25519", x=""), MATERIAL, id="Ed25519 x empty"),
    pytest.param(changed("Ed25519", x=base64url(b"x" * 31)), MATERIAL, id="Ed25519 x too short"),
    pytest.param(changed("Ed25519", x=base64url(b"x" * 33)), MATERIAL, id="Ed25519 x too long"),
]


@pytest.mark.parametrize(("member", "problem"), MALFORMED)
def test_bad_member_is_dropped_alone(member, problem):
    """A bad member is reported with its problem, and the other keys of the set still verify."""
    keys, dropped = read_jwk_set(
        {"keys": [JWKS["RSA"], member, JWKS["P-256"], JWKS["Ed25519"]]}, ASYMMETRIC
    )

    key_id = (
        member["kid"] if isinstance(member, dict) and isinstance(member.get("kid"), str) else None
    )
    assert dropped == [
        KeyDropped(1, key_id, problem, for_signatures=problem != "its use is not sig")
    ]
    assert {key.key_id for key in keys} == {"RSA", "P-256", "Ed25519"}
    assert all(verifies(keys, PRIVATE[name]) for name in ("RSA", "P-256", "Ed25519"))


@pytest.mark.parametrize(
    "spell",
    [
        pytest.param(lambda text: text + "=", id="padding"),
        pytest.param(lambda text: text[:-1] + chr(ord(text[-1]) + 1), id="unused bits"),
        pytest.param(lambda text: text + "\n", id="line break"),
        pytest.param(lambda text: text[:-1] + "+", id="plain base64"),
        pytest.param(lambda text: text[:-1] + "é", id="not ASCII"),
        pytest.param(lambda text: text[:-1] + "\ud800", id="lone surrogate"),
    ],
)
@pytest.mark.parametrize(
    ("name", "member"), [("RSA", "n"), ("P-256", "x"), ("P-256", "y"), ("Ed25519", "x")]
)
def test_member_in_another_spelling_is_dropped(name, member, spell):
    """A number is canonical base64url or the key is not read."""
    keys, dropped = read_jwk_set(
        {"keys": [changed(name, **{member: spell(JWKS[name][member])}), JWKS["P-384"]]}, ASYMMETRIC
    )

    assert [event.position for event in dropped] == [0]
    assert [key.key_id for key in keys] == ["P-384"]


@pytest.mark.parametrize(
    "member",
    [
        pytest.param(changed("RSA", n=number(modulus(2048))), id="2048 bits"),
        pytest.param(changed("RSA", n=number(modulus(8192))), id="8192 bits"),
        pytest.param(changed("RSA", e=number(3)), id="exponent 3"),
        pytest.param(changed("RSA", e=number(2**33 - 1)), id="exponent below 2^33"),
        pytest.param(changed("RSA", kid=...), id="no kid"),
        pytest.param(changed("RSA", kid=None), id="kid null"),
        pytest.param(changed("RSA", alg=None), id="alg null"),
        pytest.param(changed("RSA", use="sig", key_ops=["sign", "verify"]), id="use and key_ops"),
        pytest.param(changed("RSA", crv="P-256"), id="curve that means nothing"),
        pytest.param(
            changed("RSA", x5c=5, x5t=None, ext=True, k="x"), id="members that mean nothing"
        ),
    ],
)
def test_unusual_member_is_a_key(member):
    """A value just within a limit, or a member that we do not know, does not drop a key."""
    keys, dropped = read(member)

    assert dropped == []
    assert [algorithm for algorithm, _ in keys] == RSA_ALGORITHMS


@pytest.mark.parametrize(
    ("name", "alg", "algorithms", "expected"),
    [
        pytest.param("RSA", None, ASYMMETRIC, RSA_ALGORITHMS, id="RSA without alg"),
        pytest.param("RSA", "PS384", ASYMMETRIC, ["PS384"], id="RSA with alg"),
        pytest.param("RSA", None, ["ES256", "PS256"], ["PS256"], id="RSA, one allowed"),
        pytest.param(
            "RSA", None, ["RS256", "PS512", "ES256"], ["RS256", "PS512"], id="RSA, two allowed"
        ),
        pytest.param("RSA", "RS512", ["RS256"], [], id="RSA, another allowed"),
        pytest.param("RSA", None, ["ES256"], [], id="RSA, none allowed"),
        pytest.param("P-256", None, ASYMMETRIC, ["ES256"], id="P-256"),
        pytest.param("P-384", None, ASYMMETRIC, ["ES384"], id="P-384"),
        pytest.param("P-521", "ES512", ASYMMETRIC, ["ES512"], id="P-521"),
        pytest.param("Ed25519", None, ASYMMETRIC, ["EdDSA", "Ed25519"], id="Ed25519"),
        pytest.param(
            "Ed25519", "EdDSA", ["Ed25519"], ["EdDSA", "Ed25519"], id="Ed25519 by its old name"
        ),
        pytest.param(
            "Ed25519", "Ed25519", ["EdDSA"], ["EdDSA", "Ed25519"], id="Ed25519 by its new name"
        ),
    ],
)
def test_key_is_used_with_fitting_and_allowed_algorithms(name, alg, algorithms, expected):
    """A key with ``alg`` is used with that only, and one without with all allowed that fit."""
    keys, dropped = read(changed(name, alg=alg or ...), algorithms=algorithms)

    assert [algorithm for algorithm, _ in keys] == expected
    assert dropped == ([] if expected else [(0, NOT_ALLOWED)])


@pytest.mark.parametrize(
    ("length", "alg", "expected"),
    [
        pytest.param(64, None, ["HS256", "HS384", "HS512"], id="64 bytes"),
        pytest.param(63, None, ["HS256", "HS384"], id="63 bytes"),
        pytest.param(48, None, ["HS256", "HS384"], id="48 bytes"),
        pytest.param(47, None, ["HS256"], id="47 bytes"),
        pytest.param(32, None, ["HS256"], id="32 bytes"),
        pytest.param(31, None, [], id="31 bytes"),
        pytest.param(0, None, [], id="nothing"),
        pytest.param(64, "HS256", ["HS256"], id="alg decides"),
        pytest.param(63, "HS512", [], id="63 bytes for HS512"),
    ],
)
def test_secret_needs_as_many_bytes_as_its_hash(length, alg, expected):
    """A secret is used with the algorithms that it is long enough for (RFC 7518 §3.2)."""
    member = {"kty": "oct", "k": base64url(RANDOM[:length])} | ({"alg": alg} if alg else {})

    keys, dropped = read(member, algorithms=HMAC)

    assert [algorithm for algorithm, _ in keys] == expected
    assert dropped == ([] if expected else [(0, NOT_ALLOWED)])


@pytest.mark.parametrize("k", [..., None, 5, "a" * 41, "a" * 43 + "=", ["a" * 43]])
def test_secret_that_is_malformed_is_dropped(k):
    """A secret that is not canonical base64url is dropped, and the other secret still works."""
    bad = {
        name: value
        for name, value in {"kty": "oct", "k": k, "kid": "bad"}.items()
        if value is not ...
    }

    keys, dropped = read(bad, SECRET | {"alg": "HS256"}, algorithms=HMAC)

    assert keys == [("HS256", "secret")]
    assert [position for position, _ in dropped] == [0]


@pytest.mark.parametrize(
    ("algorithms", "expected"),
    [
        pytest.param(
            ASYMMETRIC, {"RSA", "P-256", "P-384", "P-521", "Ed25519"}, id="public keys wanted"
        ),
        pytest.param(HMAC, {"secret"}, id="secrets wanted"),
    ],
)
def test_families_in_one_set_are_kept_apart(algorithms, expected):
    """A set gives either secrets or public keys, so that neither is mistaken for the other."""
    keys, dropped = read(SECRET, *JWKS.values(), algorithms=algorithms)

    assert {key_id for _, key_id in keys} == expected
    assert {problem for _, problem in dropped} == {NOT_ALLOWED}
    assert len(dropped) == 6 - len(expected)


OTHER_RSA = public_jwk(
    Key("RS256", "RSA", rsa.generate_private_key(public_exponent=65537, key_size=2048))
)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(JWKS["RSA"], OTHER_RSA, id="two RSA keys"),
        pytest.param(JWKS["RSA"], OTHER_RSA | {"alg": "PS256"}, id="of different alg"),
        pytest.param(JWKS["RSA"], JWKS["P-256"] | {"kid": "RSA"}, id="of different type"),
        pytest.param(JWKS["P-256"], JWKS["P-384"] | {"kid": "P-256"}, id="of different curve"),
        pytest.param(
            JWKS["P-256"] | {"kid": ""}, JWKS["Ed25519"] | {"kid": ""}, id="under an empty kid"
        ),
    ],
)
def test_different_keys_under_one_kid_are_both_dropped(first, second):
    """A token could not say which of them it means; a third key is untouched."""
    keys, dropped = read(first, JWKS["P-521"], 5, second)

    ambiguous = "another key has the same kid"
    assert keys == [("ES512", "P-521")]
    assert dropped == [(0, ambiguous), (2, NO_OBJECT), (3, ambiguous)]


@pytest.mark.parametrize(
    ("members", "kept"),
    [
        pytest.param([JWKS["P-256"], JWKS["P-256"]], 2, id="the same key twice"),
        pytest.param(
            [JWKS["RSA"] | {"alg": "RS256"}, JWKS["RSA"] | {"alg": "PS256"}],
            2,
            id="one key for two algorithms",
        ),
        pytest.param(
            [JWKS["P-256"], OTHER_RSA | {"kid": "P-256", "use": "enc"}],
            1,
            id="the other is for encryption",
        ),
        pytest.param(
            [changed("P-256", kid=...), changed("P-384", kid=...)], 2, id="two keys without kid"
        ),
        pytest.param(
            [changed("P-256", kid=None), changed("P-384", kid=None)], 2, id="two keys with kid null"
        ),
        pytest.param(
            [changed("P-256", kid=...), changed("P-384", kid="")], 2, id="no kid and an empty one"
        ),
    ],
)
def test_keys_that_no_token_can_confuse_are_kept(members, kept):
    """Only two different usable keys under one ``kid`` are ambiguous."""
    keys, _ = read(*members)

    assert len(keys) == kept


def test_members_past_the_hundredth_are_dropped():
    """The first hundred members are read. One event reports all others, good or bad."""
    members = [changed("P-256", kid=str(index)) for index in range(100)]

    keys, dropped = read(*members)
    more_keys, more_dropped = read(*members, JWKS["RSA"], *[5] * 100_000)

    assert (len(keys), dropped) == (100, [])
    assert more_keys == keys
    assert more_dropped == [(100, "more than 100 members; this one and the next are ignored")]


def test_event_shows_the_start_of_a_kid():
    """A ``kid`` of any length makes a log line of bounded length."""
    _, (event,) = read_jwk_set({"keys": [changed("RSA", kid="k" * 1000, use="enc")]}, ASYMMETRIC)

    assert event.key_id == "k" * 64


@pytest.mark.parametrize("keys", [..., None, {}, "keys", 5, {"0": JWKS["RSA"]}, (JWKS["RSA"],)])
def test_document_without_a_list_of_keys_is_refused(keys):
    """A document that is not a JWK set (RFC 7517 §5) raises ValueError."""
    document = {} if keys is ... else {"keys": keys}

    with pytest.raises(ValueError, match="it has no list of keys"):
        read_jwk_set(document, ASYMMETRIC)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=5,
)
NAMES = ["kty", "crv", "n", "e", "x", "y", "k", "d", "alg", "use", "kid", "key_ops"]
VALUES = [
    *RSA_ALGORITHMS,
    "ES256",
    "EdDSA",
    "HS256",
    "RSA",
    "EC",
    "OKP",
    "oct",
    "P-256",
    "Ed25519",
    "sig",
    "enc",
    "AQAB",
    "",
    "=",
]
# A good key with up to three members changed. This reaches checks that random values never reach.
DAMAGED = st.builds(
    lambda jwk, changes, gone: {
        name: value for name, value in (jwk | changes).items() if name not in gone
    },
    st.sampled_from([*JWKS.values(), SECRET]),
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES) | ANYTHING, max_size=2),
    st.sets(st.sampled_from(NAMES), max_size=1),
)
FAMILIES = st.sampled_from([ASYMMETRIC, HMAC, ["RS256"], ["Ed25519"], ["HS512"]])


@given(st.lists(DAMAGED | ANYTHING, max_size=4), FAMILIES)
def test_any_list_of_members_is_read(members, algorithms):
    """Each member becomes a key or a problem, and nothing is raised."""
    keys, dropped = read_jwk_set({"keys": members}, algorithms)

    positions = [event.position for event in dropped]
    assert positions == sorted(set(positions))
    assert {key.algorithm for key in keys} <= set(algorithms) | {"EdDSA"}
    assert bool(keys) == (len(positions) < len(members))


@given(st.lists(DAMAGED.map(lambda jwk: jwk | {"kid": "damaged"}) | ANYTHING, max_size=4))
def test_good_key_survives_any_neighbours(members):
    """No member can take away a good key that has another ``kid``."""
    keys, _ = read_jwk_set({"keys": [*members, JWKS["P-384"]]}, ASYMMETRIC)

    assert verifies(keys, PRIVATE["P-384"])


@given(
    st.dictionaries(
        st.just("keys") | st.text(max_size=4), ANYTHING | st.lists(DAMAGED, max_size=3), max_size=3
    ),
    FAMILIES,
)
def test_any_document_is_read_or_refused(document, algorithms):
    """As a mapping or as text, a document is a set of keys or a `ConfigurationError`."""
    for form in (document, json.dumps(document)):
        with suppress(ConfigurationError):
            assert JWKSet(form, algorithms=algorithms, on_event=lambda event: None).current().keys
