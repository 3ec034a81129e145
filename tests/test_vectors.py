"""Published vectors of Wycheproof, the RFCs and other libraries: where we differ, and why.

The vectors are in a folder next to the repository. These tests are skipped without it.
"""

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from jwt_middleware import AuthError, ConfigurationError, JWKSet, PublicKey, SecretKey, Verifier
from jwt_middleware.jose import ASYMMETRIC, HMAC, Key, decode_base64url, parse_compact
from jwt_middleware.keys import StaticKeySource
from tests.conftest import SECRET, bearer, client, sign_raw

VECTORS = Path(os.environ.get("VECTORS", Path(__file__).parents[2] / "shared" / "vectors"))
pytestmark = pytest.mark.skipif(
    not VECTORS.is_dir(), reason="the published vectors are not next to the repository"
)

FILES = {
    "go_jose_tokens": 102,
    "joserfc_fixtures": 20,
    "jwt_verify_lib_tokens": 88,
    "panva_jose_cookbook": 8,
    "pyjwt_suite_tokens": 45,
    "rfc7515_appendix": 8,
    "rfc7520_cookbook": 62,
    "wycheproof_json_web_crypto_test": 83,
    "wycheproof_json_web_encryption_test": 139,
    "wycheproof_json_web_key_test": 26,
    "wycheproof_json_web_signature_test": 401,
}


def load(name, folder="normalized"):
    """Return the cases of a file."""
    return json.loads((VECTORS / folder / f"{name}.json").read_text())["cases"]


def short(case):
    """Return the part of the id that is unique in its file."""
    return case["id"].partition("/")[2].rpartition("_test/")[2]


def source(case):
    """Return the keys of a case as an application would configure them, or no keys if refused."""
    key = case["key"] or {"jwks": {"keys": []}}
    try:
        if "secret" in key:
            return SecretKey(key["secret"], algorithm=algorithm_of(case["token"]))
        if "pem" in key:
            return PublicKey(key["pem"], algorithm=algorithm_of(case["token"]))
        members = key["jwks"]["keys"] if "jwks" in key else [key["jwk"]]
        # A set has either secrets or public keys.
        algorithms = HMAC if all(member.get("kty") == "oct" for member in members) else ASYMMETRIC
        return JWKSet({"keys": members}, algorithms=algorithms, on_event=lambda event: None)
    except ConfigurationError:
        return StaticKeySource([])


def algorithm_of(token):
    """Return the algorithm that a good token names."""
    return parse_compact(token)[0].algorithm


def is_signed(ring, token):
    """Tell whether one of the keys verifies the token."""
    try:
        header, _, signing_input, signature = parse_compact(token)
    except AuthError:
        return False
    return any(
        key.verify(signing_input, signature) for key in ring.find(header.algorithm, header.key_id)
    )


JWE = "is encrypted, which we do not support"
STRICT_ALG = "the key's alg is not the token's; a key is used with its own alg only (RFC 7517 §4.4)"
NO_SUCH_ALG = "the key's alg, ES521, does not exist (RFC 7518 §3.1)"
SAME_AS_357 = "the upstream label is wrong: byte by byte the same as 357, which is valid"
NOT_BASE64 = "the upstream label is wrong: base64url has no question mark (RFC 7515 §2)"
MALFORMED_TWIN = "of two keys with one kid, one is not canonical base64url and is dropped"
ML_DSA = "ML-DSA is not supported"
ML_DSA_NAMES = ("ML-DSA-44", "ML-DSA-65", "ML-DSA-87")
SHORT_SECRET = "the secret is shorter than the hash (RFC 7518 §3.2)"
SHORT_POINT = "the y of the P-521 key lacks its leading zero (RFC 7518 §6.2.1.3)"
ENCRYPTED = [
    *(1, 23, *range(28, 36), *range(52, 63), *range(66, 94)),
    *(*range(100, 106), 112, 121, *range(128, 136)),
]
# By file: how many are accepted, and which verdicts are not the label's.
LABELS = {
    "wycheproof_json_web_signature_test": (
        42,
        {
            "346": STRICT_ALG,
            "347": NO_SUCH_ALG,
            "350": STRICT_ALG,
            "351": NO_SUCH_ALG,
            "367": SAME_AS_357,
            "370": SAME_AS_357,
            "372": NOT_BASE64,
            "373": NOT_BASE64,
        },
    ),
    "wycheproof_json_web_key_test": (6, {"4": MALFORMED_TWIN}),
    "wycheproof_json_web_crypto_test": (4, {"50": JWE, "67": JWE}),
    "wycheproof_json_web_encryption_test": (0, {str(number): JWE for number in ENCRYPTED}),
    "rfc7515_appendix": (4, {}),
    "rfc7520_cookbook": (5, {}),
    "panva_jose_cookbook": (5, {f"ietf-cose-dilithium - {name}": ML_DSA for name in ML_DSA_NAMES}),
    "joserfc_fixtures": (
        10,
        {
            f"{suite}/HS{size}": SHORT_SECRET
            for suite in ("jwt_use_jws", "jws_examples")
            for size in (256, 384, 512)
        },
    ),
}


@pytest.mark.parametrize("name", LABELS)
def test_signature_verdict_is_the_label_but_for_these(name):
    """Our verdict on a signature is the label, or the difference is listed with its reason."""
    accepted, different = LABELS[name]
    cases = load(name)

    verdicts = {short(case): is_signed(source(case).current(), case["token"]) for case in cases}
    labels = {
        short(case): case.get("upstream_result", case["expect"]) in {"valid", "accept"}
        for case in cases
    }

    assert len(verdicts) == len(cases) == FILES[name]
    assert sum(verdicts.values()) == accepted
    assert {case for case in verdicts if verdicts[case] != labels[case]} == set(different)


def test_label_367_and_370_contradict_357():
    """Three vectors have the same token and key, but different labels."""
    cases = {short(case): case for case in load("wycheproof_json_web_signature_test")}
    valid, *twins = (cases[number] for number in ("357", "367", "370"))

    assert all((twin["token"], twin["key"]) == (valid["token"], valid["key"]) for twin in twins)
    assert [case["upstream_result"] for case in (valid, *twins)] == ["valid", "invalid", "invalid"]


@pytest.mark.parametrize("number", ["346", "350"])
def test_label_of_strict_binding_is_not_about_the_signature(number):
    """Without the `alg` of the key, the signature is valid."""
    (case,) = [case for case in load("wycheproof_json_web_signature_test") if short(case) == number]
    key = {name: value for name, value in case["key"]["jwk"].items() if name != "alg"}

    assert not is_signed(source(case).current(), case["token"])
    assert is_signed(source(case | {"key": {"jwk": key}}).current(), case["token"])


# End to end


def category(token):
    """Return the form of a token: a compact JWS, or a form that we do not support."""
    if token.startswith("{"):
        return "JSON serialization"
    if token.count(".") == 4:
        return "compact JWE"
    if token.count(".") != 2:
        return "another number of segments"
    try:
        header, payload, _, signature = parse_compact(token)
    except AuthError as refusal:
        return "crit, b64 or zip" if refusal.reason == "header_not_understood" else "malformed"
    if header.algorithm.lower() == "none":
        return "none"
    return "no payload" if not payload and signature else "compact JWS"


# How many are refused, by form and reason. The rest are 554 tokens that parse and 42 that do not.
UNSUPPORTED = {
    "JSON serialization": {"credentials_malformed": 52},
    "compact JWE": {"token_malformed": 201, "header_not_understood": 38},
    "another number of segments": {"token_malformed": 58, "credentials_malformed": 7},
    "crit, b64 or zip": {"header_not_understood": 6},
    "none": {"algorithm_not_allowed": 7},
    "no payload": {"token_malformed": 13, "algorithm_not_allowed": 4},
}


def reason_of(verifier, token):
    """Return why the verifier refuses a token, or None."""
    try:
        verifier.verify(token)
    except AuthError as refusal:
        return refusal.reason
    return None


@pytest.mark.parametrize("form", UNSUPPORTED)
def test_unsupported_form_is_refused(form):
    """Each unsupported form is refused for its own reasons, also with the right key."""
    cases = [case for name in FILES for case in load(name) if category(case["token"]) == form]

    reasons = Counter(
        reason_of(Verifier(source(case), issuer=None, audience=None), case["token"])
        for case in cases
    )

    assert reasons == UNSUPPORTED[form]


def test_every_vector_is_of_one_category():
    """All other vectors are a compact JWS, or malformed."""
    categories = Counter(category(case["token"]) for name in FILES for case in load(name))

    assert categories.total() == sum(FILES.values()) == 982
    assert categories == {form: sum(reasons.values()) for form, reasons in UNSUPPORTED.items()} | {
        "compact JWS": 554,
        "malformed": 42,
    }


def test_every_vector_is_refused_by_another_key():
    """With another key, every vector is answered with 400 or 401."""
    app = client(Verifier(SecretKey(SECRET), issuer=None, audience=None))

    statuses = Counter(
        app.get("/", headers=bearer(case["token"]), expect_errors=True).status_int
        for name in FILES
        for case in load(name)
    )

    assert statuses == {400: 74, 401: 908}


# Wycheproof's mutations upon a claims set, through the whole middleware

END_TO_END = {
    ("accept", "exact", 200): 47,
    ("reject", "exact", 400): 10,
    ("reject", "exact", 401): 226,
    ("reject", "edge-value kept", 401): 24,
    ("reject", "weak", 400): 2,
    ("reject", "weak", 401): 91,
    # The one with MALFORMED_TWIN.
    ("reject", "exact", 200): 1,
}


def test_mutated_tokens_through_the_middleware():
    """Of tokens with good claims, those with a valid signature pass."""
    results, reasons, passed = Counter(), Counter(), []
    for case in load("wycheproof_claims", "derived"):
        app = client(
            Verifier(
                source(case),
                issuer="https://issuer.test/",
                audience="api://held-out",
                clock=lambda: 1_800_000_000,
            )
        )
        response = app.get("/", headers=bearer(case["token"]), expect_errors=True)
        results[case["expect"], case["power"], response.status_int] += 1
        if response.status_int == 200:
            assert response.json["sub"] == "wycheproof"
            passed += [short(case)] if case["expect"] == "reject" else []
        else:
            reasons[response.json["reason"]] += 1

    assert results == END_TO_END
    assert passed == ["4"]
    assert reasons == {
        "signature_invalid": 300,
        "algorithm_not_allowed": 38,
        "credentials_malformed": 12,
        "key_not_found": 3,
    }


# Envoy's library

WITH_KEY = {
    "verify_jwk_ec_test.cc/VerifyJwkECTest.KidES512OK": SHORT_POINT,
}
# Our API has nothing equivalent: the upstream test changes the key in memory.
CHANGED_KEY = {
    "verify_pem_ec_test.cc/VerifyPKCSTestRs256.jwksIncorrectAlgSpecifiedFail",
    "verify_pem_okp_test.cc/VerifyPEMTestOKP.jwksIncorrectAlgSpecifiedFail",
}


def test_envoy_tokens_are_judged_as_there():
    """Our verdict is that of Envoy's library, or the difference is listed above."""
    cases = [
        case
        for case in load("jwt_verify_lib_tokens")
        if case["key"]
        and case["expect"] != "parse-ok"
        and case["id"].partition("/")[2] not in CHANGED_KEY
    ]

    verdicts = {
        case["id"].partition("/")[2]: is_signed(source(case).current(), case["token"])
        for case in cases
    }

    wrong = {
        case["id"].partition("/")[2]
        for case in cases
        if verdicts[case["id"].partition("/")[2]] != (case["expect"] == "accept")
    }
    assert Counter(verdicts.values()) == {True: 26, False: 8}
    assert wrong == set(WITH_KEY)


@pytest.mark.parametrize("member", ["alg", "kid"])
def test_envoy_tokens_need_neither_alg_nor_kid_in_the_key(member):
    """A key without ``alg`` or ``kid`` verifies what it signed."""
    cases = load("jwt_verify_lib_tokens")
    keys = {
        case["id"].split("/")[1]: case["key"]
        for case in cases
        if case["key"] and "jwks" in case["key"]
    }
    asked = [
        case
        for case in cases
        if case["key_name"] in {f"pubkey_no_{member}", f"symmkey_no_{member}"}
    ]

    verdicts = []
    for case in asked:
        bare = [
            {k: v for k, v in jwk.items() if k != member}
            for jwk in keys[case["id"].split("/")[1]]["jwks"]["keys"]
        ]
        verdicts.append(
            is_signed(source(case | {"key": {"jwks": {"keys": bare}}}).current(), case["token"])
        )

    assert verdicts == [True] * 4


# The others are accepted. Negative dates lie before 1970, which RFC 7519 does not forbid.
ENVOY_CLAIMS = {
    "TestParsePayloadBadJson": "token_malformed",
    "TestParsePayloadIssNotString": "claim_invalid",
    "TestParsePayloadSubNotString": "claim_invalid",
    "TestParsePayloadJtiNotString": "claim_invalid",
    "TestParsePayloadIatNotInteger": "claim_invalid",
    "TestParsePayloadNbfNotInteger": "claim_invalid",
    "TestParsePayloadExpNotInteger": "claim_invalid",
    "TestParsePayloadIatTooBig": "claim_invalid",
    "TestParsePayloadNbfTooBig": "claim_invalid",
    "TestParsePayloadExpTooBig": "claim_invalid",
    "TestParsePayloadExpNotPositive": "token_expired",
    "TestParsePayloadAudInteger": "audience_mismatch",
    "TestParsePayloadAudIntegerList": "audience_mismatch",
}
BEFORE_1970 = {"TestParsePayloadIatNotPositive", "TestParsePayloadNbfNotPositive"}


def test_envoy_claims_are_judged_as_there():
    """Claims that Envoy's library refuses are refused here too, with a good signature."""
    refused, accepted, labels = {}, set(), {}
    for case in load("jwt_verify_lib_tokens"):
        name = case["id"].rpartition(".")[2]
        parts = case["token"].split(".")
        of_the_payload = name.startswith("TestParsePayload") or case["expect"] == "parse-ok"
        if "jwt_test.cc" not in case["id"] or not of_the_payload or len(parts[1]) % 4 == 1:
            continue
        payload = decode_base64url(parts[1])
        audience = ["aud1", "example_service"] if b'"aud"' in payload else None
        verifier = Verifier(
            SecretKey(SECRET),
            issuer=None,
            audience=audience,
            require=[],
            clock=lambda: 1_501_281_000,
        )
        labels[name] = case["expect"]
        if reason := reason_of(verifier, sign_raw(payload)):
            refused[name] = reason
        else:
            accepted.add(name)

    assert (len(labels), len(accepted)) == (22, 9)
    assert refused == ENVOY_CLAIMS
    assert {name for name in accepted if labels[name] == "reject"} == BEFORE_1970


NO_CURVE = "crv is required (RFC 7518 §6.2.1.1); upstream guesses it"
ENVOY_SETS = {
    "JwksECMatchAlgES512CrvP521": SHORT_POINT,
    "JwksECMissingBothAlgCrvES256": NO_CURVE,
    "JwkECMissingCrv": NO_CURVE,
    "JwksECUnspecifiedCrv": NO_CURVE,
}


def is_usable(document, algorithms):
    """Tell whether a key set holds a usable key."""
    try:
        JWKSet(document, algorithms=algorithms, on_event=lambda event: None)
    except ConfigurationError:
        return False
    return True


def is_usable_pem(pem, algorithm):
    """Tell whether a PEM is a public key for the algorithm."""
    try:
        PublicKey(pem, algorithm=algorithm)
    except ConfigurationError:
        return False
    return True


def test_envoy_key_sets_are_usable_as_there():
    """Keys are usable as in Envoy's library, except keys without a required member."""
    cases = {short(case).rpartition("/")[2]: case for case in load("jwt_verify_lib_jwks")}

    verdicts = {
        name: any(
            is_usable_pem(case["document"], algorithm) for algorithm in ("RS256", "ES256", "EdDSA")
        )
        if case["type"] == "PEM"
        else is_usable(case["document"], ASYMMETRIC) or is_usable(case["document"], HMAC)
        for name, case in cases.items()
    }

    assert Counter(verdicts.values()) == {True: 12, False: 55}
    assert {name for name in cases if verdicts[name] != (cases[name]["expect"] == "usable")} == set(
        ENVOY_SETS
    )


# Suites whose keys are too weak for us, or not published

TOO_WEAK = {"joserfc_fixtures": {b"secret": 3, b"rfc": 3}, "pyjwt_suite_tokens": {b"secret": 21}}


@pytest.mark.parametrize("name", TOO_WEAK)
def test_tokens_of_short_secrets_have_valid_signatures(name):
    """Only `SecretKey` refuses short secrets. Their signatures are valid as elsewhere."""
    found = Counter()
    for case in load(name):
        if category(case["token"]) == "compact JWS" and algorithm_of(case["token"]) in HMAC:
            header, _, signing_input, signature = parse_compact(case["token"])
            keys = [Key(header.algorithm, None, secret) for secret in TOO_WEAK[name]]
            found.update(key.material for key in keys if key.verify(signing_input, signature))

    assert found == TOO_WEAK[name]
    for secret in TOO_WEAK[name]:
        with pytest.raises(ConfigurationError, match="too short"):
            SecretKey(secret)
