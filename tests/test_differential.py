"""Against PyJWT and joserfc: they accept every token that we accept, with the same claims.

The tokens are signed here. Most have one fault. The reverse is not required: we refuse more than
others.
"""

import json
from collections import Counter

import joserfc.jwk
import joserfc.jws
import joserfc.jwt
import jwt
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from jwt_middleware import (
    ASYMMETRIC,
    AuthError,
    Fetched,
    PublicKey,
    RemoteJWKSet,
    SecretKey,
    TokenIssuer,
    Verifier,
)
from jwt_middleware.jose import public_pem
from jwt_middleware.validators import rfc9068
from tests.conftest import AUDIENCE, ISSUER, NOW, SECRET, base64url, good_claims

LEEWAY = 5
TYPES = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
ALGORITHMS = ["HS256", *TYPES]
# joserfc warns of EdDSA (RFC 9864). Issuers still use it.
pytestmark = pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")


class FrozenPyJWT(jwt.PyJWT):
    """`jwt.decode` with a frozen clock."""

    def _validate_iat(self, payload, now, leeway):
        super()._validate_iat(payload, NOW, leeway)

    def _validate_nbf(self, payload, now, leeway):
        super()._validate_nbf(payload, NOW, leeway)

    def _validate_exp(self, payload, now, leeway):
        super()._validate_exp(payload, NOW, leeway)


class Parties:
    """One key, and three implementations that verify with it."""

    def __init__(self, algorithm, key):
        self.algorithm = algorithm
        self.signer = key.material
        symmetric = isinstance(self.signer, bytes)
        source = SecretKey(SECRET) if symmetric else PublicKey(public_pem(key), algorithm=algorithm)
        self._public = SECRET if symmetric else public_pem(key).decode()
        self._imported = joserfc.jwk.import_key(
            self._public, "oct" if symmetric else TYPES[algorithm]
        )
        # The others refuse an iat in the future. We do so with max_token_age.
        self._verifier = Verifier(
            source,
            issuer=ISSUER,
            audience=AUDIENCE,
            leeway=LEEWAY,
            max_token_age=2**30,
            cache_size=0,
            clock=lambda: NOW,
        )

    def sign(self, header, payload):
        """Return the compact token for these texts."""
        signing_input = ".".join(map(base64url, (header, payload)))
        signature = jwt.algorithms.get_default_algorithms()[self.algorithm].sign(
            signing_input.encode(), self.signer
        )
        return f"{signing_input}.{base64url(signature)}"

    def ours(self, token):
        """Return the claims that we accept, or raise our refusal."""
        return self._verifier.verify(token).claims

    def pyjwt(self, token):
        """Return the claims that PyJWT accepts."""
        arguments = {
            "audience": AUDIENCE,
            "issuer": ISSUER,
            "leeway": LEEWAY,
            "options": {"require": ["exp", "iat"]},
        }
        return FrozenPyJWT().decode(token, self._public, algorithms=[self.algorithm], **arguments)

    def joserfc(self, token):
        """Return the claims that joserfc accepts."""
        # A strict check refuses unknown header members. RFC 7515 §4 ignores them.
        registry = joserfc.jws.JWSRegistry(strict_check_header=False, algorithms=[self.algorithm])
        decoded = joserfc.jwt.decode(
            token, self._imported, algorithms=[self.algorithm], registry=registry
        )
        wanted = {
            "iss": {"essential": True, "value": ISSUER},
            "aud": {"essential": True, "value": AUDIENCE},
        }
        required = {"exp": {"essential": True}, "iat": {"essential": True}}
        joserfc.jwt.JWTClaimsRegistry(now=NOW, leeway=LEEWAY, **wanted, **required).validate(
            decoded.claims
        )
        return decoded.claims


@pytest.fixture(scope="session")
def parties(private_keys):
    """The parties for each algorithm."""
    keys = {"HS256": SecretKey(SECRET).key} | {name: private_keys[name].key for name in TYPES}
    return {name: Parties(name, key) for name, key in keys.items()}


GOOD = good_claims(nbf=NOW)
AT_THE_LIMITS = (*range(-LEEWAY - 1, -LEEWAY + 2), -1, 0, 1, LEEWAY, LEEWAY + 1)
# Around each limit, and of each wrong type. Fractions stay away from the limits: PyJWT cuts them.
TIMES = st.sampled_from(
    [
        *(NOW + offset for offset in (-600, *AT_THE_LIMITS, 600)),
        *(NOW + 9.5, NOW - 9.5, 0, -1, -0.0, 1e15, 2**53, 2**63, 2**64, 10**30, 1e300),
        *(str(NOW + 9), "", True, False, None, [], [NOW + 9], {}),
    ]
)
STRINGS = st.sampled_from(
    ["", "é", "\x00", "\ud800", "a" * 300, 5, True, None, [], ["a"], {}, {"a": 1}]
) | st.text(max_size=5)
AUDIENCES = st.sampled_from(
    [
        *([AUDIENCE], ["x", AUDIENCE], [AUDIENCE, AUDIENCE], [AUDIENCE, 5], [AUDIENCE, None]),
        *(["x"], [], [""], [[AUDIENCE]], 5, True, None, {}, {AUDIENCE: 1}),
        *("", "x", AUDIENCE + "/", AUDIENCE.upper(), AUDIENCE[:-1], f"{AUDIENCE} x"),
    ]
)
ISSUERS = st.sampled_from(
    ["", "x", ISSUER + "/", ISSUER.upper(), ISSUER[:-1], [ISSUER], {ISSUER: 1}, 5, None]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=4,
)
GONE = st.just(...)
CLAIM_CHANGES = {
    **dict.fromkeys(("exp", "nbf", "iat"), TIMES | GONE),
    **dict.fromkeys(("sub", "jti"), STRINGS | GONE),
    "aud": AUDIENCES | GONE,
    "iss": ISSUERS | GONE,
    "scope": ANYTHING,
    "é": ANYTHING,
}
HEADER_CHANGES = {
    "typ": st.sampled_from(["JWT", "jwt", "at+jwt", "application/at+jwt", "dpop+jwt", "", 5, None]),
    "kid": st.sampled_from(["", "k", "../k", 5, None, ["k"], ...]),
    "alg": st.sampled_from(
        ["none", "None", "", "hs256", *ALGORITHMS, "HS512", "RS384", 5, None, ["HS256"], ...]
    ),
    "crit": st.sampled_from([[], ["exp"], ["b64"], None]),
    "b64": st.booleans(),
    "zip": st.just("DEF"),
    "jwk": st.just({"kty": "oct", "k": base64url("x" * 32)}),
    "jku": st.just("https://evil.example.com/jwks"),
    "cty": st.just("JWT"),
    "é": ANYTHING,
}


@st.composite
def changed(draw, members, changes):
    """Return the members with up to two of them changed."""
    for name in draw(st.lists(st.sampled_from(sorted(changes)), max_size=2, unique=True)):
        members = members | {name: draw(changes[name])}
    return {name: value for name, value in members.items() if value is not ...}


# Other texts of the same object, and texts that a JSON parser should refuse.
SPELLINGS = {
    "as it is": lambda text: text,
    "white space": lambda text: f" \r\n\t{text}\n",
    "member twice": lambda text: f'{text[:-1]},"exp":{NOW + 9},"exp":{NOW + 9}}}',
    "expiry again": lambda text: f'{text[:-1]},"exp":{NOW + 9}}}',
    "byte order mark": lambda text: f"\ufeff{text}",
    "list": lambda text: f"[{text}]",
    "deep": lambda text: f'{text[:-1]},"deep":{"[" * 40}{"]" * 40}}}',
    "cut off": lambda text: text[:-1],
    "Latin-1": lambda text: text.replace("}", ',"x":"é"}').encode("latin-1", "replace"),
    "UTF-16": lambda text: text.encode("utf-16"),
}
# A change after the signature is never accepted, so most tokens are left alone.
TAMPERINGS = {
    "left alone": lambda token, index, character: token,
    "character changed": lambda token, index, character: (
        token[:index] + character + token[index + 1 :]
    ),
    "character added": lambda token, index, character: token[:index] + character + token[index:],
    "character taken out": lambda token, index, character: token[:index] + token[index + 1 :],
    "cut off": lambda token, index, character: token[:index],
    "last bits": lambda token, index, character: token[:-1] + chr(ord(token[-1]) ^ 1),
    "padding": lambda token, index, character: token + "=",
    "no signature": lambda token, index, character: token.rpartition(".")[0] + ".",
    "segments swapped": lambda token, index, character: ".".join(reversed(token.split("."))),
    "segment more": lambda token, index, character: f"{token}.{character}",
    "plain base64": lambda token, index, character: token.replace("-", "+").replace("_", "/"),
}


@st.composite
def tokens(draw, parties):
    """Return a good token, or one with a fault in claims, header, text or signature."""
    bent = draw(st.sampled_from(["claims", "claims", "claims", "header", "text", "tampering"]))
    claims = draw(changed(GOOD, CLAIM_CHANGES)) if bent in {"claims", "tampering"} else GOOD
    header = (
        draw(changed({"alg": parties.algorithm}, HEADER_CHANGES))
        if bent == "header"
        else {"alg": parties.algorithm}
    )
    spelling = draw(st.sampled_from(sorted(SPELLINGS))) if bent == "text" else "as it is"
    tampering = draw(st.sampled_from(sorted(TAMPERINGS))) if bent == "tampering" else "left alone"
    ascii_only = draw(st.booleans())
    payload = SPELLINGS[spelling](
        json.dumps(claims, ensure_ascii=ascii_only or "\\ud" in json.dumps(claims))
    )
    token = parties.sign(json.dumps(header), payload)
    index, character = draw(st.integers(0, len(token) - 1)), draw(st.sampled_from("Aa0-_.=+/ \n"))
    event(f"bent: {bent}")
    return TAMPERINGS[tampering](token, index, character)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_we_accept_others_accept_too(parties, algorithm):
    """With the same key, names, clock and leeway, the others read the same claims."""
    three = parties[algorithm]
    verdicts = Counter()

    @settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
    @given(tokens(three))
    def judge(token):
        try:
            claims = three.ours(token)
        except AuthError as refusal:
            verdicts["refused"] += 1
            event(refusal.reason)
            return
        verdicts["accepted"] += 1
        event("accepted")
        assert three.pyjwt(token) == claims
        assert three.joserfc(token) == claims

    judge()

    # Otherwise the test would prove little.
    assert verdicts["accepted"] > verdicts.total() / 10
    assert verdicts["refused"] > verdicts.total() / 10


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_good_token_is_accepted_by_all(parties, algorithm):
    """The three accept a token without a fault."""
    three = parties[algorithm]
    token = three.sign(json.dumps({"alg": algorithm}), json.dumps(GOOD))

    assert three.ours(token) == three.pyjwt(token) == three.joserfc(token) == GOOD


@pytest.mark.parametrize(
    ("header", "claims", "stricter"),
    [
        pytest.param(
            {}, {"exp": NOW - LEEWAY + 0.5}, {"pyjwt"}, id="PyJWT cuts off the fraction of exp"
        ),
        pytest.param(
            {"jku": 5}, {}, {"joserfc"}, id="joserfc looks at header members that we ignore"
        ),
    ],
)
def test_known_places_where_others_are_stricter(parties, header, claims, stricter):
    """These differences are known. None of them is about trust."""
    three = parties["HS256"]
    token = three.sign(json.dumps({"alg": "HS256"} | header), json.dumps(GOOD | claims))

    assert three.ours(token) == GOOD | claims
    for name in ("pyjwt", "joserfc"):
        if name in stricter:
            with pytest.raises((jwt.PyJWTError, JoseError)):
                getattr(three, name)(token)
        else:
            assert getattr(three, name)(token) == GOOD | claims


def joserfc_key(algorithm):
    """Return a new private key of joserfc."""
    parameters = {"kid": f"key-{algorithm}", "use": "sig", "alg": algorithm}
    if algorithm.startswith("Ed"):
        return OKPKey.generate_key("Ed25519", parameters)
    curves = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
    if algorithm in curves:
        return ECKey.generate_key(curves[algorithm], parameters)
    return RSAKey.generate_key(2048, parameters)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_token_that_joserfc_signed_is_accepted(algorithm, make_verifier):
    """Tokens and key sets of an independent implementation are accepted, with each algorithm."""
    key = joserfc_key(algorithm)
    published = json.dumps(KeySet([key]).as_dict(private=False)).encode()
    keys = RemoteJWKSet(
        "https://id.example.com/jwks.json", fetch=lambda url, **limits: Fetched(published)
    )
    header = {"alg": algorithm, "typ": "at+jwt", "kid": key.kid}
    claims = good_claims(client_id="web")
    verifier = make_verifier(keys, validators=[rfc9068])

    token = joserfc.jwt.encode(header, claims, key, algorithms=[algorithm])

    assert verifier.verify(token).claims == claims


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_joserfc_accepts_what_we_issue(algorithm, private_keys):
    """An independent implementation accepts our tokens and key sets, with each algorithm."""
    issuer = TokenIssuer(private_keys[algorithm], issuer=ISSUER, audience=AUDIENCE)
    published = KeySet.import_key_set(issuer.jwks())

    raw = issuer.access_token("alice", scopes=["orders:read"])
    token = joserfc.jwt.decode(raw, published, algorithms=[algorithm])

    assert token.header["typ"] == "at+jwt"
    assert (token.claims["sub"], token.claims["scope"]) == ("alice", "orders:read")
