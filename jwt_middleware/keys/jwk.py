"""Reading JWK sets: which members are keys that can be trusted to verify, and why each other one is not."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from jwt_middleware.arguments import names_faults
from jwt_middleware.events import KeyDropped
from jwt_middleware.jose import (
    ALGORITHMS,
    ASYMMETRIC,
    HMAC,
    Key,
    decode_base64url,
    material_from_jwk,
)
from jwt_middleware.keys.secret_check import check_not_key_material
from jwt_middleware.keys.weak_keys import check_ed25519, check_rsa

ED25519_NAMES: Final = ("EdDSA", "Ed25519")
HASH_BYTES: Final = {"HS256": 32, "HS384": 48, "HS512": 64}

# Which algorithms a key's type and curve fit, and which members the type needs (RFC 7518 §6, RFC 8037 §2).
_FITTING: Final[Mapping[tuple[str, str | None], Sequence[str]]] = {
    ("oct", None): HMAC,
    ("RSA", None): tuple(name for name in ASYMMETRIC if name[:2] in {"RS", "PS"}),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ED25519_NAMES,
}
_MEMBERS: Final = {"oct": ("k",), "RSA": ("n", "e"), "EC": ("x", "y"), "OKP": ("x",)}
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})
_MAX_KEYS: Final = 100
_OTHER_USE: Final = "its use is not sig"


def read_jwk_set(
    document: Mapping[str, Any], algorithms: Sequence[str]
) -> tuple[list[Key], list[KeyDropped]]:
    """Return the usable keys of a JWK set, and why each other member is none.

    Raises ValueError if the document has no list of ``keys``. Whatever a member holds, it is dropped alone.
    """
    members = document.get("keys")
    if not isinstance(members, list):
        raise ValueError("it has no list of keys")
    usable: dict[int, list[Key]] = {}
    problems: dict[int, str] = {}
    for index, member in enumerate(members[:_MAX_KEYS]):
        try:
            usable[index] = read_jwk(member, algorithms)
        except ValueError as exc:
            problems[index] = str(exc)
    if len(members) > _MAX_KEYS:
        # One event for all of them: a hostile set may have a hundred thousand.
        problems[_MAX_KEYS] = (
            f"it and all after it are left out: the set has more than {_MAX_KEYS} members"
        )
    for index in _ambiguous(members, usable):
        del usable[index]
        problems[index] = "another key has the same kid"
    dropped = [
        KeyDropped(index, _short_key_id(members[index]), problem, meant=problem != _OTHER_USE)
        for index, problem in sorted(problems.items())
    ]
    return [key for keys in usable.values() for key in keys], dropped


def algorithms_faults(algorithms: Sequence[str]) -> Iterator[str]:
    """Say what is wrong with a choice of algorithms for a JWK set."""
    faults = list(names_faults("algorithms", algorithms, "a list such as ['RS256']"))
    yield from faults
    unknown = [] if faults else [name for name in algorithms if name not in ALGORITHMS]
    if unknown:
        yield f"algorithms: unknown {', '.join(map(repr, unknown))}; known are {', '.join(ALGORITHMS)}"
    elif not faults and len({name in HMAC for name in algorithms}) == 2:
        # Whoever reads a public key could sign with it as a secret (RFC 8725 §2.1).
        yield "algorithms: secrets (HS...) and public keys never share a set; write two JWKSets"


def read_jwk(jwk: object, algorithms: Sequence[str]) -> list[Key]:
    """Return the keys that one member of a set stands for, one for each algorithm; raises ValueError."""
    if not isinstance(jwk, dict):
        raise ValueError("not an object")
    if not isinstance(jwk.get("kid"), str | None):
        raise ValueError("its kid is not a string")
    if jwk.get("use", "sig") != "sig":
        raise ValueError(_OTHER_USE)
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise ValueError("its key_ops lack verify")
    if not _PRIVATE_MEMBERS.isdisjoint(jwk):
        raise ValueError("it is a private key")
    if not isinstance(jwk.get("issuer"), str | None):
        raise ValueError("its issuer is not a string")
    usable = _usable_algorithms(jwk, algorithms)
    _check_strength(jwk)
    material = material_from_jwk(jwk, usable[0])
    return [Key(name, jwk.get("kid"), material, jwk.get("issuer")) for name in usable]


def _usable_algorithms(jwk: Mapping[str, Any], algorithms: Sequence[str]) -> list[str]:
    fitting = _fitting_algorithms(jwk)
    if not fitting:
        raise ValueError("its type or curve is not supported")
    named = jwk.get("alg")
    if named is not None and named not in fitting:
        raise ValueError("its alg does not fit its type or curve")
    # Ed25519 has two names for one algorithm, so naming either allows both.
    allowed = {
        alias
        for name in algorithms
        for alias in (ED25519_NAMES if name in ED25519_NAMES else (name,))
    }
    wanted = fitting if named is None or named in ED25519_NAMES else [named]
    usable = [name for name in wanted if name in allowed and _long_enough(jwk, name)]
    if not usable:
        raise ValueError("no allowed algorithm can use it")
    return usable


def _fitting_algorithms(jwk: Mapping[str, Any]) -> Sequence[str]:
    """Return the algorithms that fit the key's type and curve; none if they are unknown."""
    kty, curve = jwk.get("kty"), jwk.get("crv")
    if not isinstance(kty, str) or not isinstance(curve, str | None):
        return ()
    return _FITTING.get((kty, curve if kty in {"EC", "OKP"} else None), ())


def _long_enough(jwk: Mapping[str, Any], algorithm: str) -> bool:
    return algorithm not in HMAC or len(decode_base64url(jwk.get("k"))) >= HASH_BYTES[algorithm]


def _check_strength(jwk: Mapping[str, Any]) -> None:
    """Raise ValueError for a key whose members are malformed or weak.

    PyJWT checks that a point of P-256, P-384 or P-521 is on its curve.
    """
    members = {name: decode_base64url(jwk.get(name)) for name in _MEMBERS[jwk["kty"]]}
    if jwk["kty"] == "RSA":
        check_rsa(int.from_bytes(members["n"]), int.from_bytes(members["e"]))
    elif jwk["kty"] == "OKP":
        check_ed25519(members["x"])
    elif jwk["kty"] == "oct":
        _check_secret(members["k"])


def _check_secret(secret: bytes) -> None:
    try:
        # Not more than this: published test vectors have secrets of zero bytes.
        check_not_key_material(secret)
    except ValueError as exc:
        raise ValueError(f"its secret {exc}") from exc


def _ambiguous(members: Sequence[Any], usable: Mapping[int, Sequence[Key]]) -> list[int]:
    """Return which members share a ``kid`` with a different key: a token could not say which it means."""
    materials: dict[str, set[tuple[object, ...]]] = {}
    for index in usable:
        jwk = members[index]
        if jwk.get("kid") is not None:
            numbers = tuple(jwk[name] for name in _MEMBERS[jwk["kty"]])
            materials.setdefault(jwk["kid"], set()).add((jwk["kty"], *numbers))
    return [index for index in usable if len(materials.get(members[index].get("kid"), ())) > 1]


def _short_key_id(jwk: object) -> str | None:
    key_id = jwk.get("kid") if isinstance(jwk, dict) else None
    return key_id[:64] if isinstance(key_id, str) else None
