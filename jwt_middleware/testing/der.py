"""DER: certificates and signatures of attackers, without a library for them."""

import base64
from typing import Final

_ECDSA_WITH_SHA256: Final = bytes.fromhex("06082a8648ce3d040302")


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    length = (size.bit_length() + 7) // 8
    prefix = bytes([size]) if size < 128 else bytes([128 + length]) + size.to_bytes(length)
    return bytes([tag]) + prefix + content


def _der_integer(data: bytes) -> bytes:
    return _der(2, b"\0" + data if data[0] > 127 else data)


def der_signature(signature: bytes) -> bytes:
    """Return a signature in DER form, of its two halves."""
    half = len(signature) // 2
    return _der(0x30, *(_der_integer(part) for part in (signature[:half], signature[half:])))


def certificate(pem: str) -> str:
    """Return a certificate of a public key, as in ``x5c``. Its own signature is not valid."""
    key = der_of(pem)
    name = _der(0x30, _der(0x31, _der(0x30, bytes.fromhex("0603550403"), _der(12, b"attacker"))))
    times = _der(0x30, _der(23, b"200101000000Z"), _der(23, b"491231235959Z"))
    algorithm = _der(0x30, _ECDSA_WITH_SHA256)
    version = _der(0xA0, _der(2, b"\2"))
    content = _der(0x30, version, _der(2, b"\1"), algorithm, name, times, name, key)
    return base64.b64encode(
        _der(0x30, content, algorithm, _der(3, b"\0", der_signature(bytes([1]) * 64)))
    ).decode()


def der_of(pem: str) -> bytes:
    """Return the DER form of a key in PEM form."""
    return base64.b64decode("".join(pem.split("\n")[1:-2]))
