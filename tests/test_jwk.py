"""Reading JWK sets: each member that is no key is dropped alone, and says why."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from jwt_middleware.jose import ASYMMETRIC, HMAC, public_jwk
from jwt_middleware.jwk import read_jwk_set
from tests.conftest import base64url

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)


def number(value):
    """Encode an integer as a JWK does."""
    return base64url(value.to_bytes((value.bit_length() + 7) // 8))


@pytest.fixture(scope="session")
def jwks(private_keys):
    """One public JWK for each algorithm, named after it."""
    return {name: public_jwk(key.key) for name, key in private_keys.items()}


def problems(members, algorithms=ASYMMETRIC):
    """Return why members of a set are dropped, by position."""
    _, dropped = read_jwk_set({"keys": members}, algorithms)
    return {event.position: event.problem for event in dropped}


def without(jwk, *names):
    """Return a JWK without some members."""
    return {name: value for name, value in jwk.items() if name not in names}


def test_good_keys_are_all_there(jwks):
    """Every kind of key is read, Ed25519 under both of its names."""
    keys, dropped = read_jwk_set({"keys": list(jwks.values())}, ASYMMETRIC)

    assert dropped == []
    assert {key.algorithm for key in keys} == set(ASYMMETRIC)


def test_key_without_algorithm_fits_all_of_its_kind(jwks):
    """A key without ``alg`` may be used with what fits its type and curve, within what is allowed."""
    members = [without(jwks["RS256"], "alg"), without(jwks["ES384"], "alg")]
    keys, _ = read_jwk_set({"keys": members}, ["RS256", "PS512", "ES256", "ES384"])

    assert [key.algorithm for key in keys] == ["RS256", "PS512", "ES384"]


BAD = {
    "not an object": ("RS256", lambda jwk: [jwk], "not an object"),
    "kid a number": ("RS256", lambda jwk: jwk | {"kid": 5}, "its kid is not a string"),
    "for encryption": ("RS256", lambda jwk: jwk | {"use": "enc"}, "its use is not sig"),
    "use a list": ("RS256", lambda jwk: jwk | {"use": ["sig"]}, "its use is not sig"),
    "for signing only": ("RS256", lambda jwk: jwk | {"key_ops": ["sign"]}, "its key_ops lack verify"),
    "key_ops a str": ("RS256", lambda jwk: jwk | {"key_ops": "verify"}, "its key_ops lack verify"),
    "private": ("RS256", lambda jwk: jwk | {"d": "AQAB"}, "it is a private key"),
    "private prime": ("ES256", lambda jwk: jwk | {"p": "AQAB"}, "it is a private key"),
    "no type": ("RS256", lambda jwk: without(jwk, "kty"), "its type or curve is not supported"),
    "type a list": ("RS256", lambda jwk: jwk | {"kty": ["RSA"]}, "its type or curve is not supported"),
    "curve a number": ("ES256", lambda jwk: jwk | {"crv": 256}, "its type or curve is not supported"),
    "another curve": ("ES256", lambda jwk: jwk | {"crv": "secp256k1"}, "its type or curve is not supported"),
    "X25519": ("EdDSA", lambda jwk: jwk | {"crv": "X25519"}, "its type or curve is not supported"),
    "a secret": ("RS256", lambda jwk: {"kty": "oct", "k": base64url("x" * 64)}, "no allowed algorithm can use it"),
    "alg of another type": ("RS256", lambda jwk: jwk | {"alg": "ES256"}, "its alg does not fit its type or curve"),
    "alg of another curve": ("ES256", lambda jwk: jwk | {"alg": "ES384"}, "its alg does not fit its type or curve"),
    "public key for HMAC": ("RS256", lambda jwk: jwk | {"alg": "HS256"}, "its alg does not fit its type or curve"),
    "alg none": ("RS256", lambda jwk: jwk | {"alg": "none"}, "its alg does not fit its type or curve"),
    "alg a list": ("RS256", lambda jwk: jwk | {"alg": ["RS256"]}, "its alg does not fit its type or curve"),
    "no modulus": ("RS256", lambda jwk: without(jwk, "n"), "not a string"),
    "modulus a number": ("RS256", lambda jwk: jwk | {"n": 5}, "not a string"),
    "modulus padded": ("RS256", lambda jwk: jwk | {"n": jwk["n"] + "=="}, None),
    "modulus short": ("RS256", lambda jwk: jwk | {"n": number(2**1024 + 1)}, "its RSA modulus has not 2048 to 8192 bits"),
    "modulus long": ("RS256", lambda jwk: jwk | {"n": number(2**8192 + 1)}, "its RSA modulus has not 2048 to 8192 bits"),
    "exponent one": ("RS256", lambda jwk: jwk | {"e": number(1)}, "its RSA exponent is not an odd number from 3 to 2^33"),
    "exponent even": ("RS256", lambda jwk: jwk | {"e": number(4)}, "its RSA exponent is not an odd number from 3 to 2^33"),
    "exponent huge": (
        "RS256",
        lambda jwk: jwk | {"e": number(2**64 + 1)},
        "its RSA exponent is not an odd number from 3 to 2^33",
    ),
    "point off the curve": ("ES256", lambda jwk: jwk | {"y": jwk["x"]}, "its members are not a valid key"),
    "point too short": ("ES256", lambda jwk: jwk | {"x": "AQAB"}, "its members are not a valid key"),
    "point at another length": ("EdDSA", lambda jwk: jwk | {"x": "AQAB"}, "its members are not a valid key"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_member_is_dropped_alone(jwks, name):
    """A member that is no usable key is dropped, with the reason, and good ones around it stay."""
    algorithm, spoil, problem = BAD[name]
    bad = spoil(jwks[algorithm])
    keys, dropped = read_jwk_set({"keys": [jwks["ES512"], bad, jwks["ES384"]]}, ASYMMETRIC)

    assert [key.algorithm for key in keys] == ["ES512", "ES384"]
    assert [event.position for event in dropped] == [1]
    assert problem in (None, dropped[0].problem)


def test_roca_modulus_is_dropped(jwks):
    """A modulus of the flawed Infineon generator (CVE-2017-15361) is a power of 65537 modulo each small prime."""
    product = 1
    for prime in [p for p in range(2, 168) if all(p % q for q in range(2, p))]:
        product *= prime
    # Any number that is 65537^7 modulo all of them, of 2048 bits.
    modulus = pow(65537, 7, product) + product * (2**2047 // product + 1)
    assert modulus.bit_length() == 2048

    assert problems([jwks["RS256"] | {"n": number(modulus)}]) == {
        0: "its RSA modulus has the ROCA weakness (CVE-2017-15361)",
    }


def test_two_keys_under_one_id_are_both_dropped(jwks):
    """A token could not say which it means; the same key twice is no contradiction, nor are keys without id."""
    one, other = jwks["RS256"] | {"kid": "k"}, public_of(rsa.generate_private_key(65537, 2048)) | {"kid": "k"}
    nameless = [without(jwks["ES256"], "kid"), without(public_of(ec.generate_private_key(ec.SECP256R1())), "kid")]

    assert problems([one, jwks["ES256"], other]) == {0: "another key has the same kid", 2: "another key has the same kid"}
    assert problems([one, one | {"alg": "PS256"}]) == {}
    assert problems(nameless) == {}


def public_of(private):
    """Return the public JWK of a private key."""
    from jwt_middleware import PrivateKey
    from tests.conftest import pem_of

    algorithm = "RS256" if isinstance(private, rsa.RSAPrivateKey) else "ES256"
    return public_jwk(PrivateKey(pem_of(private), algorithm=algorithm).key)


def test_members_past_the_hundredth_are_dropped(jwks):
    """However long a set is, loading it ends."""
    keys, dropped = read_jwk_set({"keys": [jwks["ES256"]] * 150}, ASYMMETRIC)

    assert len(keys) == 100
    assert {event.problem for event in dropped} == {"the set has more than 100 members"}


def test_key_id_is_cut_before_it_is_told():
    """A set cannot write pages into the log."""
    _, dropped = read_jwk_set({"keys": [{"kid": "x" * 5000}, {"kid": 5}, "x"]}, ASYMMETRIC)

    assert [event.key_id for event in dropped] == ["x" * 64, None, None]


@pytest.mark.parametrize(("size", "algorithms"), [(31, []), (32, ["HS256"]), (48, ["HS256", "HS384"]), (64, [*HMAC])])
def test_secret_is_used_where_it_is_long_enough(size, algorithms):
    """In a set of secrets, each is good for the hashes that it is as long as."""
    keys, _ = read_jwk_set({"keys": [{"kty": "oct", "k": base64url("x" * size)}]}, HMAC)

    assert [key.algorithm for key in keys] == algorithms


MEMBERS = JSON | st.dictionaries(TEXT | st.sampled_from(["kty", "kid", "crv", "alg", "n", "x"]), TEXT, max_size=4)


@given(st.fixed_dictionaries({"keys": st.lists(MEMBERS, max_size=3) | JSON}) | st.dictionaries(TEXT, JSON, max_size=2))
def test_whatever_the_document_it_is_read_or_refused(document):
    """Any JSON object gives keys and reasons, one for each member, or a ValueError."""
    try:
        keys, dropped = read_jwk_set(document, ASYMMETRIC)
    except ValueError:
        assert not isinstance(document.get("keys"), list)
        return

    assert keys == []
    assert len(dropped) == len(document["keys"])


@given(data=st.data())
def test_spoiled_key_takes_no_other_along(jwks, data):
    """Whatever one member of a good key becomes, its neighbour stays."""
    name = data.draw(st.sampled_from(sorted(jwks)))
    member = data.draw(st.sampled_from(sorted(jwks[name])))
    spoiled = jwks[name] | {member: data.draw(JSON | TEXT | st.text(alphabet="AQgw", max_size=400))}

    keys, _ = read_jwk_set({"keys": [spoiled, jwks["ES512"] | {"kid": "the neighbour"}]}, ASYMMETRIC)

    assert "the neighbour" in {key.key_id for key in keys}
