"""Parsing, keys and signatures: what is refused, what is raised, and that all agree."""

import base64
import json
import re
import sys
from contextlib import suppress

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jwt_middleware import AuthError, InvalidRequest, InvalidToken, SecretKey
from jwt_middleware.jose import (
    ASYMMETRIC,
    HMAC,
    Header,
    Key,
    decode_base64url,
    derive_secret,
    material_from_jwk,
    material_from_pem,
    normalize_type,
    parse_claims,
    parse_compact,
    parse_json_object,
    public_jwk,
    public_pem,
    sign,
)
from tests.conftest import SECRET, base64url, pem_of, sign_raw

SHARED_FIXTURES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3)
    ),
    max_leaves=5,
)
CLAIMS = st.dictionaries(st.text(max_size=8), JSON, max_size=4)
# Text that is nearly JSON comes from the pieces JSON is made of.
CHARACTERS = "{}[]:,\"'-01 \n\x00\ufeffé"
PIECES = [
    '"a"',
    '"\\u0061"',
    '"\\ud800"',
    '"\\ud83d\\ude00"',
    '"\\"',
    "1e3",
    "1e999",
    "9" * 5000,
    "true",
    "null",
    "/**/",
]
NEARLY_JSON = st.lists(
    st.sampled_from([*CHARACTERS, *PIECES, "NaN", "Infinity", "-Infinity"]),
    max_size=12,
).map("".join)


@pytest.fixture(scope="session")
def keys(private_keys):
    """One `Key` that signs for each algorithm, named after it."""
    symmetric = {name: SecretKey(SECRET, algorithm=name, key_id=f"key-{name}").key for name in HMAC}
    return symmetric | {name: private.key for name, private in private_keys.items()}


def public_half(key):
    """Return the key that verifies, by way of its published JWK."""
    if isinstance(key.material, bytes):
        return key
    return Key(key.algorithm, key.key_id, material_from_jwk(public_jwk(key), key.algorithm))


def compact(header, payload="{}", signature="x"):
    """Return three segments that contain this text, without a valid signature."""
    return ".".join(map(base64url, (header, payload, signature)))


def outcome(parse, text):
    """Return what a parser makes of the text, be it the refusal that it raises."""
    try:
        return parse(text)
    except AuthError as refusal:
        return refusal


# Base64url


@given(st.binary(max_size=80))
def test_decode_base64url_reads_what_was_encoded(data):
    """Every byte string is encoded without padding and decoded to the same bytes."""
    assert decode_base64url(base64url(data)) == data


@given(
    st.text(alphabet="AEIMQUYcgkosw048BCDaz_-", max_size=9)
    | st.text(alphabet="AQgwB_-+/=.\n \x00é\ud800", max_size=9)
    | st.text(max_size=9)
    | st.none()
    | st.integers()
    | st.binary(max_size=9)
)
def test_decode_base64url_knows_one_spelling(value):
    """Only the canonical encoding is accepted. All other text raises ValueError."""
    with suppress(ValueError):
        assert base64url(decode_base64url(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("QUI=", id="padding of one"),
        pytest.param("QQ==", id="padding of two"),
        pytest.param("QUJD====", id="padding of none needed"),
        pytest.param("=", id="padding alone"),
        pytest.param("QUJ", id="two unused bits set"),
        pytest.param("QR", id="four unused bits set"),
        pytest.param("QUJDR", id="one character over"),
        pytest.param("-_+_", id="plus"),
        pytest.param("-_/_", id="slash"),
        pytest.param("QU JD", id="space"),
        pytest.param(" QUJD", id="space in front"),
        pytest.param("QUJD\n", id="line break behind"),
        pytest.param("QUJ\r", id="carriage return"),
        pytest.param("QU\x00D", id="NUL"),
        pytest.param("QU?D", id="question mark"),
        pytest.param("QUJé", id="letter beyond ASCII"),
        pytest.param("QUJ\N{FULLWIDTH LATIN CAPITAL LETTER D}", id="full-width letter"),
        pytest.param("\ud800", id="lone surrogate"),
        pytest.param(b"QUJD", id="bytes"),
        pytest.param(None, id="nothing"),
        pytest.param(5, id="number"),
        pytest.param(["QUJD"], id="list"),
    ],
)
def test_decode_base64url_refuses_another_spelling(text):
    """Padding, unused bits, plain base64 and white space are refused (RFC 7515 §2)."""
    with pytest.raises(ValueError):  # noqa: PT011  # The message does not matter.
        decode_base64url(text)


# JSON


@given(
    st.binary(max_size=60)
    | NEARLY_JSON.map(lambda text: text.encode())
    | NEARLY_JSON.map(lambda text: f'{{"a":{text}}}'.encode())
)
def test_parse_json_object_agrees_with_json_or_refuses(data):
    """Any bytes give a ValueError or the object that another parser reads from them."""
    with suppress(ValueError):
        assert parse_json_object(data) == json.loads(data)


@given(CLAIMS, st.booleans(), st.sampled_from([None, 1]))
def test_parse_json_object_reads_what_was_written(claims, ascii_only, indent):
    """Every object of JSON values is read back, with or without escapes and white space."""
    written = json.dumps(claims, ensure_ascii=ascii_only, indent=indent).encode()

    assert parse_json_object(written) == claims


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b"[]", id="list"),
        pytest.param(b'"a"', id="string"),
        pytest.param(b"1", id="number"),
        pytest.param(b"null", id="null"),
        pytest.param(b"{}{}", id="two objects"),
        pytest.param(b"{} x", id="text behind"),
        pytest.param(b"{}\x00", id="NUL behind"),
        pytest.param(b"\x0b{}", id="vertical tab in front"),
        pytest.param("\u00a0{}".encode(), id="no-break space in front"),
        pytest.param(b'\xef\xbb\xbf{"a":1}', id="byte order mark"),
        pytest.param('{"a":1}'.encode("utf-16"), id="UTF-16"),
        pytest.param('{"a":1}'.encode("utf-32-be"), id="UTF-32"),
        pytest.param(b'{"a":"\xe9"}', id="Latin-1"),
        pytest.param(b'{"a":"\xc0\x80"}', id="overlong UTF-8"),
        pytest.param(b'{"a":"\xed\xa0\x80"}', id="surrogate in UTF-8"),
        pytest.param(b'{"a":"\\ud800"}', id="lone surrogate"),
        pytest.param(b'{"\\udfff":1}', id="lone surrogate in a name"),
        pytest.param(b'{"a":["\\ud800\\ud800"]}', id="lone surrogates in a list"),
        pytest.param(b'{"a":1,"a":1}', id="member twice"),
        pytest.param(b'{"a":1,"\\u0061":1}', id="member twice by escape"),
        pytest.param(b'{"a":[{"b":1,"b":2}]}', id="member twice, deep down"),
        pytest.param(b'{"a":NaN}', id="NaN"),
        pytest.param(b'{"a":Infinity}', id="infinity"),
        pytest.param(b'{"a":-Infinity}', id="minus infinity"),
        pytest.param(b'{"a":1e400}', id="number beyond float"),
        pytest.param(b'{"a":-1e400}', id="negative number beyond float"),
        pytest.param(b'{"a":' + b"9" * 5000 + b"}", id="integer of 5,000 digits"),
        pytest.param(b'{"a":"\n"}', id="line break in a string"),
        pytest.param(b'{"a":"\x00"}', id="NUL in a string"),
        pytest.param(b"{'a':1}", id="single quotes"),
        pytest.param(b'{"a":1,}', id="comma at the end"),
        pytest.param(b'{"a":01}', id="leading zero"),
        pytest.param(b'{"a":+1}', id="plus sign"),
        pytest.param(b'{"a":.5}', id="no digit before the point"),
        pytest.param(b"{1:1}", id="name a number"),
        pytest.param(b"{}//", id="comment"),
    ],
)
def test_parse_json_object_refuses_what_parsers_disagree_on(data):
    """JSON that is not I-JSON (RFC 7493) is malformed, as claims and as a header."""
    with pytest.raises(ValueError):  # noqa: PT011
        parse_json_object(data)
    with pytest.raises(InvalidToken) as claims:
        parse_claims(data)
    with pytest.raises(InvalidToken) as header:
        parse_compact(compact(data))

    assert (claims.value.status, claims.value.reason) == (401, "token_malformed")
    assert (header.value.status, header.value.reason) == (401, "token_malformed")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"{}", {}, id="empty"),
        pytest.param(b' \t\r\n{"a":1} \t\r\n', {"a": 1}, id="white space around"),
        pytest.param(
            b'{"a":"\\ud83d\\ude00"}', {"a": "\N{GRINNING FACE}"}, id="pair of surrogates"
        ),
        pytest.param(b'{"a":"\\\\ud800"}', {"a": "\\ud800"}, id="backslash before u"),
        pytest.param(b'{"a":"\\n"}', {"a": "\n"}, id="another escape"),
        pytest.param(b'{"a":"\\u0000"}', {"a": "\x00"}, id="NUL escaped"),
        pytest.param(
            b'{"a":{"b":1},"b":{"a":1}}',
            {"a": {"b": 1}, "b": {"a": 1}},
            id="same name in two objects",
        ),
        pytest.param(b'{"a":1E2,"b":-0}', {"a": 100.0, "b": 0}, id="numbers"),
        pytest.param(b'{"a":"' + b"[{" * 99 + b'"}', {"a": "[{" * 99}, id="brackets in a string"),
        pytest.param(
            b'{"a":[' + b"[]," * 99 + b"{}]}", {"a": [[]] * 99 + [{}]}, id="many side by side"
        ),
    ],
)
def test_parse_json_object_takes_what_is_json(data, expected):
    """Strictness stops where parsers agree."""
    assert parse_json_object(data) == expected
    assert parse_claims(data) == expected


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        pytest.param(b"[", b"]", id="lists"),
        pytest.param(b'{"a":', b"}", id="objects"),
    ],
)
def test_parse_json_object_allows_32_levels(opening, closing):
    """The object itself is the first level; the thirty-third is refused."""

    def nested(levels):
        return b'{"a":' + opening * (levels - 1) + b"1" + closing * (levels - 1) + b"}"

    assert parse_json_object(nested(32))
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json_object(nested(33))
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json_object(nested(100_000))


@pytest.mark.parametrize(
    "leaf", [pytest.param(b'"\\u0061"', id="with an escape"), pytest.param(b"1", id="without")]
)
def test_parse_json_object_refuses_every_depth_alike(leaf):
    """A depth near the interpreter's own limit raises ValueError too, so it is never a 500."""
    for levels in range(33, sys.getrecursionlimit() + 50):
        with pytest.raises(ValueError, match="nested too deeply"):
            parse_json_object(b'{"a":' + b"[" * levels + leaf + b"]" * levels + b"}")


# Compact serialization


@given(
    st.text(max_size=40)
    | st.from_regex(r"\A[\w~+/-]{0,9}(\.[\w-]{0,9}){0,4}=*\Z")
    | st.tuples(NEARLY_JSON, NEARLY_JSON).map(lambda parts: compact(*parts))
)
def test_parse_compact_never_raises_anything_else(raw):
    """Any text is parsed, or refused as a bearer token (400) or as a JWS (401)."""
    grammatical = re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", raw, re.ASCII) is not None

    result = outcome(parse_compact, raw)

    if isinstance(result, AuthError):
        assert type(result) is (InvalidToken if grammatical else InvalidRequest)
        assert result.status == (401 if grammatical else 400)
    else:
        header, payload, signing_input, signature = result
        assert isinstance(header, Header)
        assert f"{base64url(json_of(raw))}.{base64url(payload)}.{base64url(signature)}" == raw
        assert signing_input == raw.rpartition(".")[0].encode()


def json_of(raw):
    """Return the header's text as anybody decodes it."""
    segment = raw.partition(".")[0]
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


@given(st.binary(max_size=60))
def test_parse_claims_never_raises_anything_else(payload):
    """Any payload is a claims set or an invalid token."""
    result = outcome(parse_claims, payload)

    assert type(result) is dict or result.reason == "token_malformed"


@given(CLAIMS, st.binary(max_size=40), st.binary(max_size=40))
def test_parse_compact_takes_any_well_formed_header(members, payload, signature):
    """Every header is parsed or refused. Payload and signature come back unchanged."""
    raw = compact(json.dumps(members), payload, signature)

    result = outcome(parse_compact, raw)

    if isinstance(result, AuthError):
        assert result.reason in {"token_malformed", "header_not_understood"}
    else:
        header, *rest = result
        assert header.members == members
        assert rest == [payload, raw.rpartition(".")[0].encode(), signature]


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param({"alg": "HS256"}, ("HS256", None, None), id="alg alone"),
        pytest.param({}, ("", None, None), id="empty"),
        pytest.param({"alg": None}, ("", None, None), id="alg null"),
        pytest.param({"alg": ["HS256"]}, ("", None, None), id="alg a list"),
        pytest.param({"alg": {"HS256": 1}}, ("", None, None), id="alg an object"),
        pytest.param({"alg": "x", "kid": ""}, ("x", "", None), id="kid empty"),
        pytest.param({"alg": "x", "kid": "a/../b"}, ("x", "a/../b", None), id="kid a path"),
        pytest.param(
            {"alg": "x", "typ": "Application/AT+JWT"}, ("x", None, "at+jwt"), id="typ normalized"
        ),
        pytest.param({"alg": "x", "typ": None}, ("x", None, ""), id="typ null"),
        pytest.param({"alg": "x", "typ": 5}, ("x", None, ""), id="typ a number"),
        pytest.param(
            {"alg": "x", "jwk": {"kty": "oct"}, "x5c": 5},
            ("x", None, None),
            id="keys brought along",
        ),
    ],
)
def test_header_says_algorithm_key_and_type(members, expected):
    """A member that is not a string gives an empty algorithm or type, not an absent one."""
    header, *_ = parse_compact(compact(json.dumps(members)))

    assert (header.algorithm, header.key_id, header.type) == expected
    assert header.members == members


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        pytest.param({"kid": None}, "token_malformed", id="kid null"),
        pytest.param({"kid": 5}, "token_malformed", id="kid a number"),
        pytest.param({"kid": ["a"]}, "token_malformed", id="kid a list"),
        pytest.param({"crit": ["exp"]}, "header_not_understood", id="crit"),
        pytest.param({"crit": []}, "header_not_understood", id="crit empty"),
        pytest.param({"crit": None}, "header_not_understood", id="crit null"),
        pytest.param({"b64": True}, "header_not_understood", id="b64 true"),
        pytest.param({"b64": False, "crit": ["b64"]}, "header_not_understood", id="b64 false"),
        pytest.param({"zip": "DEF"}, "header_not_understood", id="zip"),
        pytest.param({"zip": None}, "header_not_understood", id="zip null"),
    ],
)
def test_header_that_cannot_be_followed_is_refused(members, reason):
    """What changes the meaning of the token and is not understood ends it (RFC 7515 §4.1.11)."""
    with pytest.raises(InvalidToken) as caught:
        parse_compact(compact(json.dumps({"alg": "HS256"} | members)))

    assert caught.value.reason == reason


GOOD = sign_raw({"a": 1})


@pytest.mark.parametrize(
    ("raw", "refusal"),
    [
        pytest.param("", InvalidRequest, id="empty"),
        pytest.param("=", InvalidRequest, id="padding alone"),
        pytest.param(f" {GOOD}", InvalidRequest, id="space in front"),
        pytest.param(f"{GOOD}\n", InvalidRequest, id="line break behind"),
        pytest.param(f"{GOOD}\x00", InvalidRequest, id="NUL behind"),
        pytest.param(f"{GOOD},{GOOD}", InvalidRequest, id="two tokens"),
        pytest.param(f'"{GOOD}"', InvalidRequest, id="quoted"),
        pytest.param(GOOD.replace(".", "=.", 1), InvalidRequest, id="padding inside"),
        pytest.param(GOOD.replace("e", "\u0435", 1), InvalidRequest, id="Cyrillic letter"),
        pytest.param(GOOD.replace("e", "\ud800", 1), InvalidRequest, id="lone surrogate"),
        pytest.param('{"payload":"e30","signatures":[]}', InvalidRequest, id="JSON serialization"),
        pytest.param(f"{GOOD}=", InvalidToken, id="padding behind"),
        pytest.param(GOOD.partition(".")[0], InvalidToken, id="header alone"),
        pytest.param(GOOD.rpartition(".")[0], InvalidToken, id="no signature segment"),
        pytest.param(GOOD.partition(".")[2], InvalidToken, id="no header segment"),
        pytest.param(f"{GOOD}.", InvalidToken, id="empty segment more"),
        pytest.param(f".{GOOD}", InvalidToken, id="empty segment in front"),
        pytest.param(f"{GOOD}.e30.e30", InvalidToken, id="five segments"),
        pytest.param("..", InvalidToken, id="dots alone"),
        pytest.param("-._~+/", InvalidToken, id="punctuation"),
        pytest.param(GOOD.replace(".", "~.", 1), InvalidToken, id="tilde"),
    ],
)
def test_text_that_is_no_compact_jws_is_refused(raw, refusal):
    """Three canonical segments and nothing else are a token (RFC 7515 §7.1)."""
    parse_compact(GOOD)

    with pytest.raises(refusal):
        parse_compact(raw)


@pytest.mark.parametrize("segment", [0, 1, 2])
@pytest.mark.parametrize(
    "text", [b'{"a":1}', b'{"a":12}'], ids=["two unused bits", "four unused bits"]
)
def test_parse_compact_refuses_unused_bits_in_any_segment(segment, text):
    """No segment has a second spelling."""
    parts = [base64url(text)] * 3
    parse_compact(".".join(parts))

    parts[segment] = parts[segment][:-1] + chr(ord(parts[segment][-1]) + 1)

    with pytest.raises(InvalidToken):
        parse_compact(".".join(parts))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("JWT", "jwt", id="case"),
        pytest.param("application/at+jwt", "at+jwt", id="prefix"),
        pytest.param("APPLICATION/AT+JWT", "at+jwt", id="both"),
        pytest.param("image/jwt", "image/jwt", id="another prefix"),
        pytest.param("xapplication/jwt", "xapplication/jwt", id="prefix not in front"),
        pytest.param("", "", id="empty"),
        pytest.param(" jwt", " jwt", id="space stays"),
    ],
)
def test_normalize_type_takes_off_case_and_prefix(value, expected):
    """Types compare as media types do, and in no other way more freely."""
    assert normalize_type(value) == expected


@given(st.from_regex(r"\A[A-Za-z0-9+.-]{1,20}\Z"))
def test_normalize_type_has_one_form_for_all_spellings(name):
    """All spellings of a type give one normalized form, which normalizes to itself."""
    spellings = {name, name.upper(), f"application/{name}", f"Application/{name.lower()}"}

    (form,) = {normalize_type(spelling) for spelling in spellings}
    assert normalize_type(form) == form


# Signing and checking


@pytest.mark.parametrize("algorithm", [*HMAC, *ASYMMETRIC])
@settings(SHARED_FIXTURES, max_examples=20)
@given(claims=CLAIMS, typ=st.sampled_from(["JWT", "at+jwt", "x"]))
def test_what_is_signed_is_parsed_and_verified(keys, algorithm, claims, typ):
    """For every algorithm, signing, parsing and verifying return the same claims."""
    key = keys[algorithm]

    header, payload, signing_input, signature = parse_compact(sign(claims, key, typ=typ))

    assert public_half(key).verify(signing_input, signature)
    assert parse_claims(payload) == claims
    assert header.members == {"alg": algorithm, "typ": typ, "kid": key.key_id}


def test_sign_without_key_id_names_none():
    """A key without an id leaves ``kid`` out."""
    header, *_ = parse_compact(sign({}, SecretKey(SECRET).key, typ="JWT"))

    assert header.members == {"alg": "HS256", "typ": "JWT"}


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_sign_refuses_what_is_not_json(number):
    """No token is issued that a strict parser, our own among them, refuses."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        sign({"exp": number}, SecretKey(SECRET).key, typ="JWT")


@pytest.mark.parametrize("algorithm", [*HMAC, *(name for name in ASYMMETRIC if name != "Ed25519")])
def test_sign_makes_tokens_that_pyjwt_reads(keys, algorithm):
    """A token of ours is a token for others."""
    key = public_half(keys[algorithm])

    claims = jwt.decode(
        sign({"sub": "é"}, keys[algorithm], typ="JWT"), key.material, algorithms=[algorithm]
    )

    assert claims == {"sub": "é"}


@pytest.mark.parametrize("algorithm", [*HMAC, *ASYMMETRIC])
@settings(SHARED_FIXTURES, max_examples=15)
@given(data=st.data())
def test_verify_refuses_every_other_signature(keys, algorithm, data):
    """Every wrong signature gives False and never raises."""
    key = public_half(keys[algorithm])
    _, _, signing_input, signature = parse_compact(
        sign({"sub": "alice"}, keys[algorithm], typ="JWT")
    )
    position = data.draw(st.integers(0, len(signature) * 8 - 1))
    flipped = bytearray(signature)
    flipped[position // 8] ^= 1 << position % 8
    length = data.draw(
        st.sampled_from(
            [0, 1, len(signature) // 2, len(signature) - 1, len(signature) + 1, 64, 96, 132, 256]
        )
    )
    noise = data.draw(st.binary(min_size=length, max_size=length))

    assert key.verify(signing_input, signature)
    assert not key.verify(signing_input, bytes(flipped))
    assert not key.verify(signing_input, signature[:-1])
    assert not key.verify(signing_input, signature + b"\0")
    assert not key.verify(signing_input, noise)
    assert not key.verify(signing_input, bytes(length))
    assert not key.verify(signing_input + b"A", signature)


@pytest.mark.parametrize("other", [*HMAC, *ASYMMETRIC])
@pytest.mark.parametrize("algorithm", ["HS256", "RS256", "PS256", "ES256", "EdDSA"])
def test_verify_accepts_its_own_algorithm_only(keys, algorithm, other):
    """A signature of another algorithm is invalid, even with the same key material."""
    same = algorithm == other or {algorithm, other} == {"EdDSA", "Ed25519"}
    _, _, signing_input, signature = parse_compact(sign({}, keys[other], typ="JWT"))

    assert public_half(keys[algorithm]).verify(signing_input, signature) is same


# Key material


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_public_forms_hold_the_public_half_only(keys, algorithm):
    """The published key verifies, names its algorithm, and contains nothing private."""
    key = keys[algorithm]
    jwk, pem = public_jwk(key), public_pem(key)
    _, _, signing_input, signature = parse_compact(sign({}, key, typ="JWT"))

    assert {"alg": algorithm, "use": "sig", "kid": key.key_id}.items() <= jwk.items()
    assert jwk.keys() <= {"kty", "crv", "n", "e", "x", "y", "alg", "use", "kid"}
    assert pem.startswith(b"-----BEGIN PUBLIC KEY-----")
    for material in (material_from_jwk(jwk, algorithm), material_from_pem(pem, algorithm)):
        assert Key(algorithm, None, material).verify(signing_input, signature)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_public_jwk_of_a_public_key_is_the_same(keys, algorithm):
    """A public key is its own public half."""
    assert public_jwk(public_half(keys[algorithm])) == public_jwk(keys[algorithm])


def test_public_jwk_without_key_id_names_none(keys):
    """A key without an id is published without one."""
    assert "kid" not in public_jwk(Key("ES256", None, keys["ES256"].material))


RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize(
    ("pem", "algorithm"),
    [
        pytest.param(b"", "RS256", id="nothing"),
        pytest.param(b"\xff\xfe", "ES256", id="bytes"),
        pytest.param(
            b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", "EdDSA", id="empty"
        ),
        pytest.param(
            b"-----BEGIN PUBLIC KEY-----\n????\n-----END PUBLIC KEY-----\n", "RS256", id="no base64"
        ),
        pytest.param(pem_of(RSA_KEY)[:400], "RS256", id="cut off"),
        pytest.param(pem_of(RSA_KEY), "ES256", id="RSA key for ECDSA"),
        pytest.param(pem_of(RSA_KEY), "EdDSA", id="RSA key for EdDSA"),
        pytest.param(pem_of(EC_KEY), "RS256", id="EC key for RSA"),
        pytest.param(pem_of(EC_KEY), "PS512", id="EC key for RSA-PSS"),
        pytest.param(
            pem_of(ed25519.Ed25519PrivateKey.generate()), "RS256", id="Ed25519 key for RSA"
        ),
        pytest.param(pem_of(ed448.Ed448PrivateKey.generate()), "EdDSA", id="Ed448 key for EdDSA"),
        pytest.param(
            pem_of(ed448.Ed448PrivateKey.generate()), "Ed25519", id="Ed448 key for Ed25519"
        ),
        pytest.param(pem_of(x25519.X25519PrivateKey.generate()), "EdDSA", id="X25519 key"),
        pytest.param(pem_of(dsa.generate_private_key(1024)), "RS256", id="DSA key"),
        pytest.param(
            EC_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")),
            "ES256",
            id="encrypted",
        ),
        pytest.param(b"ssh-dss AAAA", "RS256", id="unsupported OpenSSH key"),
    ],
)
def test_material_from_pem_refuses_what_does_not_fit(pem, algorithm):
    """A key that does not fit the algorithm raises ValueError."""
    with pytest.raises(ValueError, match=algorithm):
        material_from_pem(pem, algorithm)


PRIVATE_TYPES = {
    "RS256": rsa.RSAPrivateKey,
    "PS256": rsa.RSAPrivateKey,
    "ES256": ec.EllipticCurvePrivateKey,
    "EdDSA": ed25519.Ed25519PrivateKey,
}


@settings(SHARED_FIXTURES, max_examples=60)
@given(
    data=st.data(),
    source=st.sampled_from(sorted(PRIVATE_TYPES)),
    algorithm=st.sampled_from(sorted(PRIVATE_TYPES)),
)
def test_material_from_pem_never_raises_anything_else(pems, data, source, algorithm):
    """A damaged PEM is a key of the algorithm's type or a ValueError."""
    pem = bytearray(pems[source])
    for _ in range(data.draw(st.integers(0, 2))):
        pem[data.draw(st.integers(0, len(pem) - 1))] = data.draw(st.integers(0, 255))

    with suppress(ValueError):
        assert isinstance(material_from_pem(bytes(pem), algorithm), PRIVATE_TYPES[algorithm])


BASE64URL = st.binary(max_size=70).map(base64url)


@given(
    st.fixed_dictionaries(
        {"kty": st.sampled_from(["RSA", "EC", "OKP", "oct"]), "k": BASE64URL},
        optional={
            "crv": st.sampled_from(["P-256", "P-384", "P-521", "secp256k1", "Ed25519", "Ed448"]),
            **dict.fromkeys(("n", "e", "x", "y", "d", "p", "q", "dp", "dq", "qi"), BASE64URL),
        },
    ),
    st.sampled_from([*HMAC, *ASYMMETRIC]),
)
def test_material_from_jwk_never_raises_anything_else(jwk, algorithm):
    """Base64url members that make no key are a ValueError."""
    with suppress(ValueError):
        assert material_from_jwk(jwk, algorithm) is not None


PURPOSES = ("one", "two")


def test_derived_secret_depends_on_key_and_purpose(keys):
    """The same key and purpose give the same secret, any other pair another one."""
    # The algorithms of one family share their key in this suite.
    different = [keys[name] for name in ("HS256", "RS256", "ES256", "ES384", "ES512", "EdDSA")]

    secrets = [derive_secret(key, purpose).material for key in different for purpose in PURPOSES]

    assert len(set(secrets)) == len(secrets)
    assert secrets == [
        derive_secret(key, purpose).material for key in different for purpose in PURPOSES
    ]


@pytest.mark.parametrize("algorithm", ["HS512", "RS256", "EdDSA"])
def test_derived_secret_is_an_hs256_key(keys, algorithm):
    """A derived key signs with the same id, and differs from its origin."""
    derived = derive_secret(keys[algorithm], "x")

    _, _, signing_input, signature = parse_compact(sign({}, derived, typ="x"))
    assert derived.verify(signing_input, signature)
    assert (derived.algorithm, derived.key_id, len(derived.material)) == (
        "HS256",
        f"key-{algorithm}",
        32,
    )
    assert derived.material != keys[algorithm].material
