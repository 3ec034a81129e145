"""Reading JWK sets: which members are usable keys, and why the others are not."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from jwt_middleware.arguments import Problems, is_collection
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

# The algorithms for each type and curve (RFC 7518 §6, RFC 8037 §2).
_ALGORITHMS_BY_TYPE: Final[Mapping[tuple[str, str | None], Sequence[str]]] = {
    ("oct", None): HMAC,
    ("RSA", None): tuple(name for name in ASYMMETRIC if name[:2] in {"RS", "PS"}),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ED25519_NAMES,
}
# The members that each type needs.
_MEMBERS: Final = {"oct": ("k",), "RSA": ("n", "e"), "EC": ("x", "y"), "OKP": ("x",)}
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})
_MAX_KEYS: Final = 100


class _NotForSignatures(ValueError):
    """The ``use`` of a key says that it is for something else than signatures."""


def read_jwk_set(
    document: Mapping[str, Any], algorithms: Sequence[str]
) -> tuple[list[Key], list[KeyDropped]]:
    """Return the usable keys of a JWK set, and an event for each other member.

    A bad member does not affect the others. Raises ValueError if the document has no list ``keys``.
    """
    members = document.get("keys")
    if not isinstance(members, list):
        raise ValueError("it has no list of keys")
    usable: dict[int, list[Key]] = {}
    dropped: list[KeyDropped] = []

    def drop(index: int, problem: str, *, for_signatures: bool = True) -> None:
        dropped.append(KeyDropped(index, _short_key_id(members[index]), problem, for_signatures))

    for index, member in enumerate(members[:_MAX_KEYS]):
        try:
            usable[index] = read_jwk(member, algorithms)
        except ValueError as exc:
            drop(index, str(exc), for_signatures=not isinstance(exc, _NotForSignatures))
    if len(members) > _MAX_KEYS:
        # One event for all of them, because a hostile set may have a hundred thousand.
        drop(_MAX_KEYS, f"more than {_MAX_KEYS} members; this one and the next are ignored")
    for index in _ambiguous(members, usable):
        del usable[index]
        drop(index, "another key has the same kid")
    return [key for keys in usable.values() for key in keys], sorted(dropped)


def check_algorithms(
    problems: Problems, algorithms: Sequence[str], *, public_only: bool = False
) -> None:
    """Add what is wrong with the choice of algorithms for a JWK set."""
    problems.names("algorithms", algorithms, "a list such as ['RS256']")
    names = (
        [name for name in algorithms if isinstance(name, str)] if is_collection(algorithms) else []
    )
    unknown = [name for name in names if name and name not in ALGORITHMS]
    secret = [name for name in names if name in HMAC]
    if unknown:
        problems.add(
            f"algorithms: {', '.join(map(repr, unknown))} is unknown; write some of"
            f" {', '.join(ALGORITHMS)}"
        )
    if secret and public_only:
        problems.add(
            "algorithms: HS256, HS384 and HS512 are not allowed here: a remote JWK set must contain"
            " only public keys; write e.g. ['RS256']"
        )
    elif secret and len(secret) < len(names):
        # Everybody who reads a public key could sign with it as a secret (RFC 8725 §2.1).
        problems.add(
            "algorithms: secrets (HS...) and public keys must not be in one set; write two JWKSets"
        )


def read_jwk(jwk: object, algorithms: Sequence[str]) -> list[Key]:
    """Return one key for each algorithm that a member may be used with. Raises ValueError."""
    if not isinstance(jwk, dict):
        raise ValueError("not an object")
    if not isinstance(jwk.get("kid"), str | None):
        raise ValueError("its kid is not a string")
    if jwk.get("use", "sig") != "sig":
        raise _NotForSignatures("its use is not sig")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise ValueError("its key_ops do not include verify")
    if not _PRIVATE_MEMBERS.isdisjoint(jwk):
        raise ValueError("it is a private key")
    if not isinstance(jwk.get("issuer"), str | None):
        raise ValueError("its issuer is not a string")
    usable = _usable_algorithms(jwk, algorithms)
    _check_strength(jwk)
    material = material_from_jwk(jwk, usable[0])
    return [Key(name, jwk.get("kid"), material, jwk.get("issuer")) for name in usable]


def _usable_algorithms(jwk: Mapping[str, Any], algorithms: Sequence[str]) -> list[str]:
    fitting = _algorithms_for_type(jwk)
    if not fitting:
        raise ValueError("its type or curve is not supported")
    named = jwk.get("alg")
    if named is not None and named not in fitting:
        raise ValueError("its alg does not fit its type or curve")
    # Ed25519 has two names for one algorithm, so each of them allows both.
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


def _algorithms_for_type(jwk: Mapping[str, Any]) -> Sequence[str]:
    """Return the algorithms for the type and curve of the key, or none if they are unknown."""
    kty, curve = jwk.get("kty"), jwk.get("crv")
    if not isinstance(kty, str) or not isinstance(curve, str | None):
        return ()
    return _ALGORITHMS_BY_TYPE.get((kty, curve if kty in {"EC", "OKP"} else None), ())


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
        # Only this check, because published test vectors have secrets of zero bytes.
        check_not_key_material(secret)
    except ValueError as exc:
        raise ValueError(f"its secret {exc}") from exc


def _ambiguous(members: Sequence[Any], usable: Mapping[int, Sequence[Key]]) -> list[int]:
    """Return the members that have the same ``kid`` as a different key."""
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
