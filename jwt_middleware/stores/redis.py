"""`RedisStore`: a store for many machines."""

from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from ssl import CERT_NONE
from typing import TYPE_CHECKING, Any, Final

from jwt_middleware.arguments import ConfigurationError, Problems, a
from jwt_middleware.events import EventHook, StoreExposed, emit, log_events
from jwt_middleware.stores.protocol import StoreError

if TYPE_CHECKING:
    from redis import Redis

_EXAMPLE: Final = "'redis://localhost:6379/0'"
# SET has NX and GET together only from Redis 7.0 on.
_ADD: Final = """
local existing = redis.call('GET', KEYS[1])
if not existing then redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[2]) end
return existing
"""


class RedisStore:
    """A store in Redis 6.2 or later, for all processes of all machines.

    `client_or_url` is a URL (``redis://``, ``rediss://`` for TLS, ``unix://``) or a client of
    redis-py. A client keeps its own time-outs and retries. `timeout`, in seconds, is for connecting
    and for each answer. Every key begins with `prefix`. Entries expire by the clock of the Redis
    server. Redis must not evict keys: use ``maxmemory-policy noeviction``.

    If another host runs Redis, use ``rediss://`` and a password. The event `StoreExposed` says what
    is missing.

    The store connects when it is first used. Its methods raise `StoreError` while Redis cannot
    answer. It needs the extra ``redis``. Raises `ConfigurationError` without it, and for wrong
    arguments.
    """

    def __init__(
        self,
        client_or_url: "str | Redis",
        *,
        prefix: str = "jwt_middleware:",
        timeout: float = 0.5,
        on_event: EventHook = log_events,
    ) -> None:
        try:
            import redis
        except ImportError as exc:
            raise ConfigurationError(
                "RedisStore needs redis-py: pip install 'wsgi-jwt-middleware[redis]'"
            ) from exc
        problems = Problems()
        _check_client(problems, client_or_url)
        if not isinstance(prefix, str):
            problems.add(f"prefix: {a(prefix)} is not a prefix; write a str")
        problems.seconds("timeout", timeout, least=0.001)
        problems.callables(on_event=on_event)
        problems.raise_if_any()
        self._client = (
            _client(client_or_url, timeout) if isinstance(client_or_url, str) else client_or_url
        )
        self._prefix = prefix
        self._failures = (redis.RedisError, OSError, ValueError)
        self._add = self._client.register_script(_ADD)
        for event in _exposures(self._client.connection_pool):
            emit(on_event, event)

    def get(self, key: str) -> str | None:
        """Return the value, or None if it is absent."""
        return _text(self._run(lambda: self._client.get(self._prefix + key)))

    def get_many(self, keys: Sequence[str]) -> list[str | None]:
        """Return the values of all keys in their order, in one round trip."""
        # Not MGET, for which a key of another type is absent: a revoked token would be good again.
        # GET is an error then. Not a script, which takes longer than several commands.
        pipeline = self._client.pipeline(transaction=False)
        for key in keys:
            pipeline.get(self._prefix + key)
        return [_text(value) for value in self._run(pipeline.execute)]

    def put(self, key: str, value: str, expires_at: float) -> None:
        """Set the value, and replace an existing one."""
        self._run(
            lambda: self._client.set(self._prefix + key, value, pxat=_milliseconds(expires_at))
        )

    def add(self, key: str, value: str, expires_at: float) -> str | None:
        """Set the value if it is absent and return None; otherwise return the existing value."""
        entry: list[str | int] = [value, _milliseconds(expires_at)]
        return _text(self._run(lambda: self._add(keys=[self._prefix + key], args=entry)))

    def __repr__(self) -> str:
        return f"RedisStore(prefix={self._prefix!r})"

    def _run(self, command: Callable[[], Any]) -> Any:
        try:
            return command()
        except self._failures as exc:
            raise StoreError(f"Redis: {type(exc).__name__}: {exc}") from exc


def _client(url: str, timeout: float) -> Any:
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.exceptions import ConnectionError as LostConnection
    from redis.retry import Retry

    # A restart of the server cuts the connections in the pool. One more attempt finds that out.
    # A time-out gets no second attempt, because that would double the wait.
    retry = Retry(NoBackoff(), 1, supported_errors=(LostConnection,))
    return Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=retry)


def _check_client(problems: Problems, client_or_url: object) -> None:
    from redis import Redis

    if isinstance(client_or_url, Redis):
        return
    if not isinstance(client_or_url, str):
        kind = a(client_or_url)
        problems.add(f"client_or_url: {kind} is not a client or a URL; write e.g. {_EXAMPLE}")
        return
    try:
        Redis.from_url(client_or_url)
    except ValueError:
        # The message contains neither the URL nor the exception: both may contain the password.
        problems.add(f"client_or_url: this is not a URL of Redis; write e.g. {_EXAMPLE}")


def _exposures(pool: Any) -> Iterator[StoreExposed]:
    """Yield what a connection to another host lacks. Sentinels and Unix sockets have no host."""
    from redis import SSLConnection

    options = pool.connection_kwargs
    host = options.get("host")
    if host is None or _is_loopback(host):
        return
    if not issubclass(pool.connection_class, SSLConnection):
        yield StoreExposed(host, "no TLS: use rediss://")
    elif options.get("ssl_cert_reqs") in {"none", CERT_NONE}:
        yield StoreExposed(host, "the certificate is not checked: remove ssl_cert_reqs")
    if not any(options.get(name) for name in ("password", "credential_provider", "ssl_certfile")):
        yield StoreExposed(host, "no password: set one with requirepass or an ACL")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _milliseconds(expires_at: float) -> int:
    return max(int(expires_at * 1000), 1)


def _text(value: Any) -> str | None:
    try:
        return value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError as exc:
        raise StoreError("Redis: a value is not UTF-8 text") from exc
