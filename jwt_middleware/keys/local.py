"""Keys at hand: secrets, PEM keys and JWK sets, each bound to its algorithm when it is loaded."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from jwt_middleware.arguments import ConfigurationError, callable_faults, refuse
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
    algorithms_faults,
    read_jwk,
    read_jwk_set,
)
from jwt_middleware.keys.key_set import MAX_CANDIDATES, KeyAtHand, crowded_algorithms
from jwt_middleware.keys.secret_check import check_secret

# What else may be in a PEM, and what to do then. The last one is in everything.
_INSTEAD = {
    b"PRIVATE KEY-----": "write PrivateKey(pem, ...).public_key()",
    b"PUBLIC KEY-----": "only the private key signs; write that",
    b"CERTIFICATE-----": "a certificate holds a public key, which 'openssl x509 -in cert.pem -pubkey -noout' prints",
    b"": "write its whole text, with the BEGIN and END lines",
}


class SecretKey(KeyAtHand):
    """A secret shared by issuer and verifier, for HS256, HS384 or HS512.

    Everybody who can verify with it can also issue. A str is taken as its UTF-8 bytes.
    ``secrets.token_urlsafe(48)`` makes a good secret.

    Raises `ConfigurationError` for a secret shorter than the hash (RFC 7518 §3.2: 32, 48 or 64
    bytes), and for what is obviously not a secret: a key in PEM, DER, OpenSSH or JWK form, also
    inside base64, hex or UTF-16, because whoever knows a public key could sign with it; one byte or
    one block repeated; an example of documentation. Other secrets that are easy to guess are not
    recognized, and neither is an RSA modulus without anything around it.
    """

    def __init__(
        self, secret: str | bytes, *, algorithm: str = "HS256", key_id: str | None = None
    ) -> None:
        raw = _encoded(secret)
        refuse(_secret_faults(raw, algorithm), _key_id_faults(key_id))
        self.key = Key(algorithm, key_id, raw)
        super().__init__([self.key])

    def __repr__(self) -> str:
        return f"SecretKey(algorithm={self.key.algorithm!r}, key_id={self.key.key_id!r})"


class PublicKey(KeyAtHand):
    """A public key in PEM form, for one asymmetric algorithm.

    Without `key_id` it also checks tokens whose ``kid`` no other key carries. Raises `ConfigurationError`
    for a key of another type or curve than the algorithm's, and for a weak or private key.
    """

    def __init__(self, pem: str | bytes, *, algorithm: str, key_id: str | None = None) -> None:
        self.key = _key_from_pem(pem, algorithm, key_id, private=False)
        super().__init__(_under_both_names(self.key))

    def __repr__(self) -> str:
        return f"PublicKey(algorithm={self.key.algorithm!r}, key_id={self.key.key_id!r})"


class PrivateKey:
    """A private key in unencrypted PEM form, for one asymmetric algorithm; it signs.

    Raises `ConfigurationError` for a key of another type or curve than the algorithm's, and for a weak,
    encrypted or public key. Give it a `key_id` if you publish its public half.
    """

    def __init__(self, pem: str | bytes, *, algorithm: str, key_id: str | None = None) -> None:
        self.key = _key_from_pem(pem, algorithm, key_id, private=True)

    def public_key(self) -> PublicKey:
        """Return the half that verifies, with the same algorithm and ``kid``."""
        return PublicKey(public_pem(self.key), algorithm=self.key.algorithm, key_id=self.key.key_id)

    def __repr__(self) -> str:
        return f"PrivateKey(algorithm={self.key.algorithm!r}, key_id={self.key.key_id!r})"


class JWKSet(KeyAtHand):
    """The keys of a JWK set (RFC 7517 §5), given as a parsed document or its JSON text.

    `algorithms` bounds what the keys may be used for: all asymmetric algorithms, or those of ``HS256``,
    ``HS384`` and ``HS512`` for a set of secrets; never both. A key with ``alg`` is used with that only, one
    without it with all that fit its type and curve.

    A member that is malformed, weak, private, of another use than ``sig`` or of another algorithm is
    dropped, each with a `KeyDropped` event; so are two different keys under one ``kid``, and members past
    the hundredth. Raises `ConfigurationError` if nothing is left, and for more than 8 keys of one
    algorithm, because a token without ``kid`` is checked with all of them.
    """

    def __init__(
        self,
        document: Mapping[str, Any] | str | bytes,
        *,
        algorithms: Sequence[str] = ASYMMETRIC,
        on_event: EventHook = log_events,
    ) -> None:
        refuse(algorithms_faults(algorithms), callable_faults(on_event=on_event))
        try:
            keys, dropped = read_jwk_set(_parsed(document), algorithms)
        except ValueError as exc:
            raise ConfigurationError(
                f"document: {exc}; pass a JWK set such as {{'keys': [...]}}"
            ) from exc
        for event in dropped:
            emit(on_event, event)
        if not keys:
            problems = (
                ", ".join(f"member {event.position}: {event.problem}" for event in dropped)
                or "it is empty"
            )
            raise ConfigurationError(f"document: the JWK set holds no usable key ({problems})")
        refuse(too_many_faults("document", keys))
        super().__init__(keys)

    def __repr__(self) -> str:
        return f"JWKSet({self._ring!r})"


def too_many_faults(argument: str, keys: Iterable[Key]) -> Iterator[str]:
    """Say of which algorithms there are too many keys at hand for one token."""
    crowded = crowded_algorithms(keys)
    if crowded:
        yield (
            f"{argument}: more than {MAX_CANDIDATES} keys of {', '.join(crowded)}, and a token"
            " without kid would be checked with all of them; leave out the keys that no longer sign"
        )


def _encoded(text: Any) -> Any:
    """Return the UTF-8 of a str; anything else, and a str that has none, as it is."""
    try:
        return text.encode() if isinstance(text, str) else text
    except UnicodeEncodeError:
        return text


def _secret_faults(secret: object, algorithm: str) -> Iterator[str]:
    if algorithm not in HMAC:
        yield f"algorithm: {algorithm!r} takes no secret; write one of {', '.join(HMAC)}, or use PublicKey"
    if not isinstance(secret, bytes):
        yield f"secret: a {type(secret).__name__} is no secret; pass bytes, or a str that can be encoded as UTF-8"
        return
    least = HASH_BYTES[algorithm] if algorithm in HMAC else 32
    if len(secret) < least:
        yield (
            f"secret: {len(secret)} bytes are too short for {algorithm}, which needs {least}"
            " (RFC 7518 §3.2); make one with secrets.token_urlsafe(48)"
        )
        return
    try:
        check_secret(secret)
    except ValueError as exc:
        yield (
            f"secret: this {exc}; make a secret with secrets.token_urlsafe(48), or use PublicKey, PrivateKey or JWKSet for a key"
        )


def _key_id_faults(key_id: object) -> Iterator[str]:
    if not isinstance(key_id, str | None) or key_id == "":
        yield f"key_id: {key_id!r} is no kid; write a non-empty str, or leave it out"


def _key_from_pem(pem: str | bytes, algorithm: str, key_id: str | None, *, private: bool) -> Key:
    raw = _encoded(pem)
    refuse(_pem_faults(raw, algorithm, private=private), _key_id_faults(key_id))
    try:
        key = Key(algorithm, key_id, material_from_pem(raw, algorithm))
        # What a member of a JWK set must be, a key in PEM form must be too.
        read_jwk(public_jwk(key), [algorithm])
    except ValueError as exc:
        raise ConfigurationError(f"pem: {exc}; write a key that {algorithm} can use") from exc
    return key


def _pem_faults(pem: object, algorithm: str, *, private: bool) -> Iterator[str]:
    if algorithm not in ASYMMETRIC:
        yield f"algorithm: {algorithm!r} has no key pair; write one of {', '.join(ASYMMETRIC)}, or use SecretKey"
    label = b"PRIVATE KEY-----" if private else b"PUBLIC KEY-----"
    if not isinstance(pem, bytes):
        yield f"pem: this {type(pem).__name__} is no PEM; pass the file's text as str or bytes"
    elif label not in pem:
        found = next(instead for name, instead in _INSTEAD.items() if name in pem)
        yield f"pem: this is no {'private' if private else 'public'} key in PEM form; {found}"
    elif b"ENCRYPTED" in pem:
        yield "pem: this key is encrypted; 'openssl pkey -in key.pem' writes it unencrypted"
    elif b"\\n" in pem:
        yield r"pem: its lines are parted by the two characters \n; write pem.replace('\\n', '\n')"


def _under_both_names(key: Key) -> list[Key]:
    names = ED25519_NAMES if key.algorithm in ED25519_NAMES else (key.algorithm,)
    return [Key(name, key.key_id, key.material) for name in names]


def _parsed(document: Mapping[str, Any] | str | bytes) -> Mapping[str, Any]:
    if isinstance(document, Mapping):
        return document
    if not isinstance(document, str | bytes):
        raise ValueError(f"a {type(document).__name__} is no JWK set")
    return parse_json_object(document.encode() if isinstance(document, str) else document)
