"""Local keys: secrets, PEM keys and JWK sets, each bound to its algorithm when it is loaded."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jwt_middleware.arguments import ConfigurationError, Problems, a, shown
from jwt_middleware.events import EventHook, emit, log_events
from jwt_middleware.jose import (
    ASYMMETRIC,
    HMAC,
    Key,
    material_from_pem,
    parse_json_object,
    public_jwk,
    public_pem,
)
from jwt_middleware.keys.jwk import (
    ED25519_NAMES,
    HASH_BYTES,
    check_algorithms,
    read_jwk,
    read_jwk_set,
)
from jwt_middleware.keys.key_set import MAX_CANDIDATES, StaticKeySource, algorithms_over_limit
from jwt_middleware.keys.secret_check import check_secret

# What another PEM file may contain, and what to do then. The last entry matches every file.
_ADVICE = {
    b"PRIVATE KEY-----": "write PrivateKey(pem, ...).public_key()",
    b"PUBLIC KEY-----": "only a private key signs; pass that",
    b"CERTIFICATE-----": (
        "'openssl x509 -in cert.pem -pubkey -noout' prints the public key of a certificate"
    ),
    b"": "pass the whole text, with the BEGIN and END lines",
}


class SecretKey(StaticKeySource):
    """A secret that issuer and verifier share, for HS256, HS384 or HS512.

    Everybody who can verify with it can also issue tokens. A str is encoded as UTF-8.
    ``secrets.token_urlsafe(48)`` makes a good secret.

    Raises `ConfigurationError` for a secret that is shorter than the hash (RFC 7518 §3.2: 32, 48 or
    64 bytes), and for values that are obviously not secret:

    * a key in PEM, DER, OpenSSH or JWK form, also inside base64, hex or UTF-16, because everybody
      who knows a public key could sign with it,
    * one byte or one block repeated,
    * an example from documentation.

    Other secrets that are easy to guess are not recognized. A bare RSA modulus is not recognized
    either.
    """

    def __init__(
        self, secret: str | bytes, *, algorithm: str = "HS256", key_id: str | None = None
    ) -> None:
        encoded = _encoded(secret)
        problems = Problems()
        _check_secret_key(problems, encoded, algorithm)
        _check_key_id(problems, key_id)
        problems.raise_if_any()
        self.key = Key(algorithm, key_id, encoded)
        super().__init__([self.key])

    def __repr__(self) -> str:
        return f"SecretKey(algorithm={self.key.algorithm!r}, key_id={self.key.key_id!r})"


class PublicKey(StaticKeySource):
    """A public key in PEM form, for one asymmetric algorithm.

    Without `key_id` it also checks tokens whose ``kid`` no other key has. Raises
    `ConfigurationError` if the type or curve of the key does not fit the algorithm, and for a weak
    or private key.
    """

    def __init__(self, pem: str | bytes, *, algorithm: str, key_id: str | None = None) -> None:
        self.key = _key_from_pem(pem, algorithm, key_id, private=False)
        super().__init__(_under_both_names(self.key))

    def __repr__(self) -> str:
        return f"PublicKey(algorithm={self.key.algorithm!r}, key_id={self.key.key_id!r})"


class PrivateKey:
    """A private key in unencrypted PEM form, which signs with one asymmetric algorithm.

    Give it a `key_id` if you publish its public key. Raises `ConfigurationError` if the type or
    curve of the key does not fit the algorithm, and for a weak, encrypted or public key.
    """

    def __init__(self, pem: str | bytes, *, algorithm: str, key_id: str | None = None) -> None:
        self.key = _key_from_pem(pem, algorithm, key_id, private=True)

    def public_key(self) -> PublicKey:
        """Return the public key, with the same algorithm and ``kid``."""
        return PublicKey(public_pem(self.key), algorithm=self.key.algorithm, key_id=self.key.key_id)

    def __repr__(self) -> str:
        return f"PrivateKey(algorithm={self.key.algorithm!r}, key_id={self.key.key_id!r})"


class JWKSet(StaticKeySource):
    """The keys of a JWK set (RFC 7517 §5), given as a parsed document or as JSON text.

    `algorithms` limits what the keys are used for. The default is all asymmetric algorithms. For a
    set of secrets write some of ``HS256``, ``HS384`` and ``HS512``. A set never has both. A key
    with ``alg`` is used with that algorithm only, and a key without ``alg`` with all that fit its
    type and curve.

    A member is dropped with a `KeyDropped` event if it is malformed, weak or private, or if its
    ``use`` or its algorithm is another one. Different keys with the same ``kid`` are dropped too,
    and all members after the hundredth.

    Raises `ConfigurationError` if no key is left, and for more than 8 keys of one algorithm,
    because a token without ``kid`` is checked with all of them.
    """

    def __init__(
        self,
        document: Mapping[str, Any] | str | bytes,
        *,
        algorithms: Sequence[str] = ASYMMETRIC,
        on_event: EventHook = log_events,
    ) -> None:
        problems = Problems()
        check_algorithms(problems, algorithms)
        problems.callables(on_event=on_event)
        problems.raise_if_any()
        try:
            keys, dropped = read_jwk_set(_parsed(document), algorithms)
        except ValueError as exc:
            raise ConfigurationError(
                f"document: {exc}; pass a JWK set such as {{'keys': [...]}}"
            ) from exc
        for event in dropped:
            emit(on_event, event)
        if not keys:
            reasons = [f"member {event.position}: {event.problem}" for event in dropped]
            raise ConfigurationError(
                f"document: the JWK set has no usable key ({', '.join(reasons) or 'it is empty'})"
            )
        check_key_count(problems, "document", keys)
        problems.raise_if_any()
        super().__init__(keys)

    def __repr__(self) -> str:
        return f"JWKSet({self._key_set!r})"


def check_key_count(problems: Problems, argument: str, keys: Iterable[Key]) -> None:
    """Add a problem if a token without ``kid`` would be checked with too many of the keys."""
    over_limit = algorithms_over_limit(keys)
    if over_limit:
        problems.add(
            f"{argument}: more than {MAX_CANDIDATES} keys of {', '.join(over_limit)}, and a token"
            " without kid would be checked with all of them; leave out the keys that no longer sign"
        )


def _encoded(text: Any) -> Any:
    """Return a str as UTF-8. Return any other value, and a str with lone surrogates, unchanged."""
    try:
        return text.encode() if isinstance(text, str) else text
    except UnicodeEncodeError:
        return text


def _check_secret_key(problems: Problems, secret: object, algorithm: str) -> None:
    if algorithm not in HMAC:
        problems.add(
            f"algorithm: {algorithm!r} does not use a secret; write one of {', '.join(HMAC)},"
            " or use PublicKey"
        )
    if not isinstance(secret, bytes):
        problems.add(
            f"secret: {a(secret)} is not a secret; pass bytes, or a str that can be encoded as"
            " UTF-8"
        )
        return
    least = HASH_BYTES[algorithm] if algorithm in HMAC else 32
    if len(secret) < least:
        problems.add(
            f"secret: {len(secret)} bytes are too short for {algorithm}, which needs {least}"
            " (RFC 7518 §3.2); make one with secrets.token_urlsafe(48)"
        )
        return
    try:
        check_secret(secret)
    except ValueError as exc:
        problems.add(
            f"secret: this {exc}; make a secret with secrets.token_urlsafe(48), or use PublicKey,"
            " PrivateKey or JWKSet for a key"
        )


def _check_key_id(problems: Problems, key_id: object) -> None:
    if not isinstance(key_id, str | None) or key_id == "":
        problems.add(
            f"key_id: {shown(key_id)} is not a kid; write a non-empty str, or leave it out"
        )


def _key_from_pem(pem: str | bytes, algorithm: str, key_id: str | None, *, private: bool) -> Key:
    encoded = _encoded(pem)
    problems = Problems()
    _check_pem(problems, encoded, algorithm, private=private)
    _check_key_id(problems, key_id)
    problems.raise_if_any()
    try:
        key = Key(algorithm, key_id, material_from_pem(encoded, algorithm))
        # The rules for a member of a JWK set apply to a PEM key too.
        read_jwk(public_jwk(key), [algorithm])
    except ValueError as exc:
        raise ConfigurationError(f"pem: {exc}; write a key that {algorithm} can use") from exc
    return key


def _check_pem(problems: Problems, pem: object, algorithm: str, *, private: bool) -> None:
    if algorithm not in ASYMMETRIC:
        problems.add(
            f"algorithm: {algorithm!r} does not use a key pair; write one of"
            f" {', '.join(ASYMMETRIC)}, or use SecretKey"
        )
    label = b"PRIVATE KEY-----" if private else b"PUBLIC KEY-----"
    if not isinstance(pem, bytes):
        problems.add(f"pem: {a(pem)} is not PEM; pass the text of the file as str or bytes")
    elif label not in pem:
        advice = next(advice for label, advice in _ADVICE.items() if label in pem)
        problems.add(f"pem: not a {'private' if private else 'public'} key in PEM form; {advice}")
    elif b"ENCRYPTED" in pem:
        problems.add("pem: this key is encrypted; 'openssl pkey -in key.pem' decrypts it")
    elif b"\\n" in pem:
        problems.add(
            r"pem: the lines are separated by the two characters \n, not by line breaks;"
            r" write pem.replace('\\n', '\n')"
        )


def _under_both_names(key: Key) -> list[Key]:
    """Return the key for each name of its algorithm. Only Ed25519 has two."""
    names = ED25519_NAMES if key.algorithm in ED25519_NAMES else (key.algorithm,)
    return [Key(name, key.key_id, key.material) for name in names]


def _parsed(document: Mapping[str, Any] | str | bytes) -> Mapping[str, Any]:
    if isinstance(document, Mapping):
        return document
    if not isinstance(document, str | bytes):
        raise ValueError(f"{a(document)} is not a JWK set")
    return parse_json_object(document.encode() if isinstance(document, str) else document)
