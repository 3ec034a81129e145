"""Remote keys: what rotation, outage, hang and flood cost, compared with PyJWT's own client."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from secrets import token_hex
from statistics import quantiles
from typing import Any, NamedTuple

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from benchmarks.measure import Effort, fastest
from benchmarks.origin import Origin, origin
from benchmarks.report import Table, Target, at_most, figure
from jwt_middleware import AuthError, PrivateKey, RemoteJWKSet, TokenIssuer, Verifier

NAMES: dict[str, Any] = {"issuer": "https://id.example.com", "audience": "https://api.example.com"}
COOLDOWN = 30
MAX_AGE = 1
# Between two tokens of one hostile client, in seconds. Without it, 50 threads of one process would
# measure the interpreter's lock.
PAUSE = 0.02

Verify = Callable[[str], object]
Make = Callable[[str, float], Verify]


def ours(url: str, max_age: float) -> Verify:
    """Return a verifier of this package, which remembers no tokens."""
    keys = RemoteJWKSet(
        url,
        allow_http=True,
        max_age=max_age,
        cooldown=COOLDOWN,
        timeout=1,
        on_event=lambda event: None,
    )
    return Verifier(keys, **NAMES, cache_size=0).verify


def pyjwt(url: str, max_age: float, *, cache_keys: bool = False) -> Verify:
    """Return what PyJWT's documentation shows."""
    client = jwt.PyJWKClient(url, lifespan=max_age, timeout=1, cache_keys=cache_keys)

    def verify(raw: str) -> object:
        key = client.get_signing_key_from_jwt(raw)
        return jwt.decode(raw, key, algorithms=["RS256"], **NAMES)

    return verify


CONTENDERS: dict[str, Make] = {
    "jwt_middleware": ours,
    "PyJWKClient": pyjwt,
    "PyJWKClient(cache_keys=True)": lambda url, max_age: pyjwt(url, max_age, cache_keys=True),
}


class Seen(NamedTuple):
    """What good clients have seen: the seconds that each request took, and how many failed."""

    seconds: list[float]
    failures: int

    def __str__(self) -> str:
        p50, p99 = ms(self.percentile(50)), ms(self.percentile(99))
        return f"{self.failures} of {len(self.seconds)} failed, p50 {p50}, p99 {p99}"

    def percentile(self, percent: int) -> float:
        """Return how long the slower of the requests took."""
        return quantiles(self.seconds, n=100, method="inclusive")[percent - 1]


def ms(seconds: float) -> str:
    """Write a duration as milliseconds."""
    return f"{seconds * 1e3:,.1f} ms"


class Stage:
    """One scenario's provider, keys and tokens."""

    def __init__(self, provider: Origin, old: PrivateKey, new: PrivateKey, verify: Verify) -> None:
        self.provider = provider
        self.old, self.new = old, new
        self.good = issue(old)
        self.verify = verify

    def together(self, threads: int, raw: str | None = None) -> Seen:
        """Let many threads verify a good token at once."""
        start = threading.Barrier(threads)

        def client() -> tuple[float, bool]:
            start.wait()
            return self.timed(raw or self.good)

        with ThreadPoolExecutor(threads) as pool:
            seen = [future.result() for future in [pool.submit(client) for _ in range(threads)]]
        return Seen([seconds for seconds, _ in seen], sum(not fine for _, fine in seen))

    def timed(self, raw: str) -> tuple[float, bool]:
        """Verify a token; return how long that took, and whether it was accepted."""
        begin = time.perf_counter()
        fine = self.accepts(raw)
        return time.perf_counter() - begin, fine

    def accepts(self, raw: str) -> bool:
        """Tell whether a token is accepted."""
        try:
            self.verify(raw)
        except (AuthError, jwt.PyJWTError):
            return False
        return True

    def flood(self, count: int) -> tuple[Seen, float]:
        """Send tokens of unknown keys from 50 threads, and return what a good client sees."""
        hostile = [forged() for _ in range(count)]
        done = threading.Event()
        seen: list[tuple[float, bool]] = []

        def good_client() -> None:
            while not done.wait(0.002):
                seen.append(self.timed(self.good))

        def hostile_client(share: list[str]) -> None:
            for raw in share:
                if time.perf_counter() < begin + 8:
                    self.accepts(raw)
                    done.wait(PAUSE)

        begin = time.perf_counter()
        with ThreadPoolExecutor(51) as pool:
            watching = pool.submit(good_client)
            list(pool.map(hostile_client, [hostile[first::50] for first in range(50)]))
            done.set()
            watching.result()
        return Seen(
            [s for s, _ in seen], sum(not fine for _, fine in seen)
        ), time.perf_counter() - begin


def issue(key: PrivateKey) -> str:
    """Return a good token."""
    return TokenIssuer(key, **NAMES, access_ttl=3600).access_token("alice")


def forged() -> str:
    """Return a token that names a key which nobody has."""
    head, _, rest = issue(KEYS[0]).partition(".")
    header = json.dumps({"alg": "RS256", "typ": "at+jwt", "kid": token_hex(8)}).encode()
    return f"{jwt.utils.base64url_encode(header).decode()}.{rest}" if head else rest


def private_key(name: str) -> PrivateKey:
    """Return a new RSA key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return PrivateKey(pem, algorithm="RS256", key_id=name)


KEYS = (private_key("old"), private_key("new"))


@contextmanager
def stage(make: Make, *, warm: bool = True, max_age: float = MAX_AGE) -> Iterator[Stage]:
    """Set a scenario up; `warm` has the keys fetched."""
    with origin(KEYS[0]) as provider:
        scene = Stage(provider, *KEYS, make(provider.url, max_age))
        if warm:
            scene.verify(scene.good)
            provider.fetches = 0
        yield scene


def jwks(effort: Effort) -> Table:
    """Run each scenario with each contender."""
    targets: list[Target] = []
    rows = [
        [name, *(run(make, targets if make is ours else []) for make in CONTENDERS.values())]
        for name, run in SCENARIOS.items()
    ]
    warm, ratio = _warm(effort)
    targets.append(at_most("remote keys ÷ the same key at hand, warm", 1.05, ratio, unit=" times"))
    return Table(
        "Keys that live elsewhere",
        f"A provider on loopback, RS256, keys fresh for {MAX_AGE} s (in floods for 300 s), a"
        " time-out of 1 s, no verified token remembered. Good clients verify one good token; floods"
        " are 10,000 tokens of keys that do not exist, or 8 seconds of them, from 50 clients that"
        f" pause for {PAUSE * 1e3:.0f} ms after each.",
        ["scenario", *CONTENDERS],
        [*rows, warm],
        targets,
    )


def _cold_start(make: Make, targets: list[Target]) -> str:
    with stage(make, warm=False) as scene:
        scene.provider.delay = 0.2
        seen = scene.together(50)
        targets.append(at_most("cold start, 50 threads: fetches", 1, scene.provider.fetches))
        return f"{scene.provider.fetches} fetches; {seen}"


def _flood(status: int) -> Callable[[Make, list[Target]], str]:
    def run(make: Make, targets: list[Target]) -> str:
        # Long fresh, so that only look-ups are among the fetches.
        with stage(make, max_age=300) as scene:
            scene.provider.delay, scene.provider.status = 0.05, status
            seen, seconds = scene.flood(10_000)
            what = f"10,000 unknown kids, endpoint answers {status}"
            targets.append(
                at_most(
                    f"{what}: fetches (1 + elapsed ÷ cooldown)",
                    1 + seconds / COOLDOWN,
                    scene.provider.fetches,
                )
            )
            targets.append(
                at_most(f"{what}: good client's p99", 5, seen.percentile(99) * 1e3, unit=" ms")
            )
            return f"{scene.provider.fetches} fetches in {seconds:.1f} s; {seen}"

    return run


def _after_expiry(
    what: str, *, status: int = 200, delay: float = 0.0, threads: int = 50
) -> Callable[[Make, list[Target]], str]:
    def run(make: Make, targets: list[Target]) -> str:
        with stage(make) as scene:
            scene.provider.status, scene.provider.delay = status, delay
            threading.Event().wait(MAX_AGE)
            seen = scene.together(threads)
            targets.append(at_most(f"{what}: failures", 0, seen.failures))
            targets.append(
                at_most(f"{what}: longest wait", 50, max(seen.seconds) * 1e3, unit=" ms")
            )
            return f"{scene.provider.fetches} fetches; {seen}"

    return run


def _rotation(make: Make, targets: list[Target]) -> str:
    with stage(make) as scene:
        scene.provider.keys = (*scene.provider.keys, scene.new)
        accepted = scene.accepts(issue(scene.new))
        targets.append(at_most("a key published right after a refresh: refusals", 0, not accepted))
        return "accepted at once" if accepted else "refused"


def _withdrawal(make: Make, targets: list[Target]) -> str:
    with stage(make) as scene:
        scene.provider.keys = (scene.new,)
        threading.Event().wait(MAX_AGE)
        accepted = scene.accepts(scene.good)
        targets.append(at_most("a withdrawn key after max_age: acceptances", 0, accepted))
        return "still accepted" if accepted else "refused"


def _warm(effort: Effort) -> tuple[list[str], float]:
    with origin(KEYS[0]) as provider:
        good = issue(KEYS[0])
        at_hand = Verifier(KEYS[0].public_key(), **NAMES, cache_size=0).verify
        keys = RemoteJWKSet(provider.url, allow_http=True, max_age=3600)
        clients = [
            jwt.PyJWKClient(provider.url, lifespan=3600, cache_keys=cached)
            for cached in (False, True)
        ]
        calls = {"at hand": lambda: at_hand(good), "jwt_middleware": lambda: remote(good)}
        remote = Verifier(keys, **NAMES, cache_size=0).verify
        for name, client in zip(list(CONTENDERS)[1:], clients, strict=True):
            calls[name] = lambda client=client: jwt.decode(
                good, client.get_signing_key_from_jwt(good), algorithms=["RS256"], **NAMES
            )
        best = fastest(calls, effort.rounds)
    ratio = best["jwt_middleware"] / best["at hand"]
    return ["warm verify", *(f"{figure(best[name] * 1e6)} µs" for name in CONTENDERS)], ratio


SCENARIOS: dict[str, Callable[[Make, list[Target]], str]] = {
    "cold start, 50 threads, endpoint takes 200 ms": _cold_start,
    "10,000 unknown kids, endpoint works": _flood(200),
    "10,000 unknown kids, endpoint answers 503": _flood(503),
    "endpoint answers 503 after expiry, 50 threads": _after_expiry(
        "endpoint down after expiry", status=503
    ),
    "endpoint hangs after expiry, 10 threads": _after_expiry(
        "endpoint hangs after expiry", delay=5, threads=10
    ),
    "refresh takes 0.5 s, 50 threads": _after_expiry("slow refresh", delay=0.5),
    "a key is published right after a refresh": _rotation,
    "a key is withdrawn, max_age has passed": _withdrawal,
}
