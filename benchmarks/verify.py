"""One token verified without any cache, beside other libraries and beside the crypto alone."""

import hmac
import warnings
from functools import partial
from itertools import cycle
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwt as joserfc_jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from benchmarks.credentials import ALGORITHMS, AUDIENCE, ISSUER, Credentials, generate
from benchmarks.measure import Call, Effort, fastest
from benchmarks.report import Table, Target, at_most, figure, microseconds

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from authlib.jose import JsonWebKey, JsonWebToken  # type: ignore[import-untyped]

_KEY_TYPES: dict[str, type[OctKey] | type[RSAKey] | type[ECKey] | type[OKPKey]] = {
    "HS256": OctKey,
    "RS256": RSAKey,
    "ES256": ECKey,
    "EdDSA": OKPKey,
}
_PRIMITIVE_TARGETS = {"HS256": 5.5, "RS256": 1.6, "ES256": 1.2, "EdDSA": 1.12}
_MISS_TARGETS = {"HS256": 6.2, "RS256": 1.7, "ES256": 1.25}
_DECODE_TARGETS = {"HS256": 0.25, "RS256": 0.42, "ES256": 0.65}


def verify(effort: Effort) -> Table:
    """Measure all libraries with all algorithms."""
    rows: list[list[str]] = []
    targets: list[Target] = []
    for algorithm in ALGORITHMS:
        seconds = fastest(_contenders(generate(algorithm)), effort.rounds)
        primitive, decode = seconds["crypto primitive alone"], seconds["jwt.decode"]
        rows += [
            [
                f"{algorithm}: {name}",
                microseconds(taken),
                figure(taken / primitive),
                figure(taken / decode),
            ]
            for name, taken in seconds.items()
        ]
        ours = seconds["**ours**"]
        name = f"{algorithm}: uncached verify"
        targets.append(
            at_most(f"{name} ÷ crypto primitive", _PRIMITIVE_TARGETS[algorithm], ours / primitive)
        )
        if algorithm in _MISS_TARGETS:
            missed = seconds["**ours**, a miss of the default cache"]
            targets.append(
                at_most(
                    f"{algorithm}: a miss of the default cache ÷ crypto primitive",
                    _MISS_TARGETS[algorithm],
                    missed / primitive,
                )
            )
        if algorithm in _DECODE_TARGETS:
            targets.append(
                at_most(f"{name} ÷ `jwt.decode`", _DECODE_TARGETS[algorithm], ours / decode)
            )
    note = (
        "`Verifier.verify` with `cache_size=0`, and with the default cache and tokens that are not"
        " in it. The primitive gets its key, message and signature ready-made."
    )
    return Table(
        "Verifying a token, uncached",
        note,
        ("", "µs", "÷ primitive", "÷ `jwt.decode`"),
        rows,
        targets,
    )


def _contenders(credentials: Credentials) -> dict[str, Call]:
    token, algorithm = credentials.token(), credentials.algorithm
    decode = partial(
        jwt.decode,
        token,
        credentials.public,
        algorithms=[algorithm],
        audience=AUDIENCE,
        issuer=ISSUER,
    )
    return {
        "crypto primitive alone": _primitive(credentials, token),
        "jwt.decode": decode,
        "joserfc": _joserfc(credentials, token),
        "Authlib": _authlib(credentials, token),
        "**ours**": partial(credentials.verifier(cache_size=0).verify, token),
        "**ours**, a miss of the default cache": _missing(credentials),
    }


def _missing(credentials: Credentials) -> Call:
    """Return a call that verifies another token each time. The cache has dropped all of them."""
    tokens = cycle([credentials.token() for _ in range(2 * 1024)])
    verify = credentials.verifier().verify
    return lambda: verify(next(tokens))


def _primitive(credentials: Credentials, token: str) -> Call:
    signing_input, _, encoded = token.encode().rpartition(b".")
    signature, key = jwt.utils.base64url_decode(encoded), credentials.public
    if credentials.algorithm == "HS256":
        return lambda: hmac.compare_digest(hmac.digest(key, signing_input, "sha256"), signature)
    if credentials.algorithm == "RS256":
        return partial(key.verify, signature, signing_input, padding.PKCS1v15(), SHA256())
    if credentials.algorithm == "ES256":
        r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
        return partial(key.verify, encode_dss_signature(r, s), signing_input, ec.ECDSA(SHA256()))
    return partial(key.verify, signature, signing_input)


def _joserfc(credentials: Credentials, token: str) -> Call:
    key: Any = _KEY_TYPES[credentials.algorithm].import_key(credentials.pem)
    algorithms = [credentials.algorithm]
    registry = joserfc_jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": AUDIENCE},
        exp={"essential": True},
    )
    # It warns that EdDSA has a new name (RFC 9864), which many issuers do not write yet.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    return lambda: registry.validate(joserfc_jwt.decode(token, key, algorithms=algorithms).claims)


def _authlib(credentials: Credentials, token: str) -> Call:
    key = JsonWebKey.import_key(
        credentials.pem, {"kty": _KEY_TYPES[credentials.algorithm].key_type}
    )
    decoder = JsonWebToken([credentials.algorithm])
    options = {
        "iss": {"essential": True, "value": ISSUER},
        "aud": {"essential": True, "value": AUDIENCE},
    }
    return lambda: decoder.decode(token, key, claims_options=options).validate()
