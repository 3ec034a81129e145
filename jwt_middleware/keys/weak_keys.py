"""Weak public keys: numbers and points with which anybody can forge a signature."""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

# Ed25519 (RFC 8032 §5.1): the prime of its field, and one y of the points of order 8; the other is
# -y.
_PRIME: Final = 2**255 - 19
_ORDER_8: Final = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER_Y: Final = frozenset({0, 1, _PRIME - 1, _ORDER_8, _PRIME - _ORDER_8})
_SIGN_BIT: Final = 1 << 255
_FERMAT_STEPS: Final = 100


def check_ed25519(point: bytes) -> None:
    """Raise ValueError for a point of small order, and for one that is not encoded canonically.

    With a point of order 8 or less, a signature made without a private key verifies for at least
    one message in eight. The top bit is the sign of x and does not matter here. Other lengths are
    left to PyJWT.
    """
    if len(point) != 32:
        return
    y = int.from_bytes(point, "little") & ~_SIGN_BIT
    if y >= _PRIME:
        # RFC 8032 §5.1.3 step 1. Libraries differ here; some reduce y, also to a point of small
        # order.
        raise ValueError("its Ed25519 point is not encoded canonically")
    if y in _SMALL_ORDER_Y:
        raise ValueError("its Ed25519 point has a small order: anybody can forge signatures for it")


def check_rsa(modulus: int, exponent: int) -> None:
    """Raise ValueError for an RSA key of the wrong size, and for one that is easy to factor.

    Whether the modulus is a prime or a higher power of one is not checked: that takes seconds for a
    set of a hundred large keys, and no generator is known to make such keys.
    """
    # RFC 7518 §3.3 asks for 2048 bits; the upper bounds keep one verification cheap.
    if not 2048 <= modulus.bit_length() <= 8192:
        raise ValueError("its RSA modulus has not 2048 to 8192 bits")
    if not 3 <= exponent < 2**33 or exponent % 2 == 0:
        raise ValueError("its RSA exponent is not an odd number from 3 to 2^33")
    if all(modulus % prime in residues for prime, residues in _roca_residues().items()):
        raise ValueError("its RSA modulus has the ROCA weakness (CVE-2017-15361)")
    if math.gcd(modulus, _small_factors()) != 1:
        raise ValueError("its RSA modulus is even, or has another prime factor below 752")
    if _has_close_factors(modulus):
        raise ValueError("its RSA modulus is a product of two close primes (CVE-2022-26320)")


def _primes(start: int, stop: int) -> list[int]:
    return [n for n in range(start, stop) if all(n % q for q in range(2, math.isqrt(n) + 1))]


@lru_cache(maxsize=1)
def _small_factors() -> int:
    """Return the product of the primes below 752: the check of NIST SP 800-89 §5.3.3.

    It finds even numbers, so also powers of two, and moduli that were damaged on their way.
    """
    return math.prod(_primes(2, 752))


@lru_cache(maxsize=1)
def _roca_residues() -> Mapping[int, frozenset[int]]:
    """Return, for each small prime, the residues of the flawed Infineon generator: powers of 65537.

    One honest modulus in about 2^27 has the same residues for all of them.
    """
    return {p: frozenset(pow(65537, power, p) for power in range(p)) for p in _primes(3, 168)}


def _has_close_factors(modulus: int) -> bool:
    """Try Fermat's method for a few steps. A square is found at the first one."""
    first = math.isqrt(modulus - 1) + 1
    return any(_is_square(middle**2 - modulus) for middle in range(first, first + _FERMAT_STEPS))


def _is_square(number: int) -> bool:
    return math.isqrt(number) ** 2 == number
