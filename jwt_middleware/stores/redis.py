"""`RedisStore`: a store for many machines."""

from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from ssl import CERT_NONE
from typing import TYPE_CHECKING, Any, Final

from jwt_middleware.arguments import ConfigurationError, callable_faults, refuse, seconds_faults
from jwt_middleware.events import EventHook, StoreExposed, emit, log_events
from jwt_middleware.stores.protocol import StoreError

if TYPE_CHECKING:
    from redis import Redis

# GET in one round trip where MGET would call a key of another type absent, and so a revoked token good.
_GET_MANY: Final = (
    "local v = {} for i, k in ipairs(KEYS) do v[i] = redis.call('GET', k) end return v"
)
# SET has NX and GET together only from Redis 7.0 on.
_ADD: Final = """
local there = redis.call('GET', KEYS[1])
if not there then redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[2]) end
return there
"""


class RedisStore:
    """A store in Redis, 6.2 or later, for all processes of all machines.

    `client_or_url` is a URL (``redis://``, ``rediss://`` for TLS, ``unix://``) or a client of redis-py, whose
    time-outs and retries are then yours to set. `timeout`, in seconds, is for connecting and for each answer.
    `prefix` begins every key. Entries expire by the clock of the Redis server, which should be set right.
    Redis must not evict keys: use ``maxmemory-policy noeviction``.

    If another host runs Redis, use ``rediss://`` and a password: without them a `StoreExposed`
    event says what is missing.

    Nothing is connected before it is needed. Methods raise `StoreError` while Redis cannot answer. Needs the
    extra ``redis``; raises `ConfigurationError` without it, and for a wrong argument.
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
        refuse(
            _client_faults(client_or_url),
            _prefix_faults(prefix),
            seconds_faults(0.001, timeout=timeout),
            callable_faults(on_event=on_event),
        )
        self._client = (
            _client(client_or_url, timeout) if isinstance(client_or_url, str) else client_or_url
        )
        self._prefix = prefix
        self._failures = (redis.RedisError, OSError, ValueError)
        self._get_many = self._client.register_script(_GET_MANY)
        self._add = self._client.register_script(_ADD)
        for event in _exposures(self._client.connection_pool):
            emit(on_event, event)

    def get(self, key: str) -> str | None:
        """Return the value, or None if there is none."""
        return self.get_many([key])[0]

    def get_many(self, keys: Sequence[str]) -> list[str | None]:
        """Return the values of all keys in their order, in one round trip."""
        names = [self._prefix + key for key in keys]
        return (
            [_text(value) for value in self._ask(lambda: self._get_many(keys=names))]
            if keys
            else []
        )

    def put(self, key: str, value: str, expires_at: float) -> None:
        """Set the value, whatever was there."""
        self._ask(
            lambda: self._client.set(self._prefix + key, value, pxat=_milliseconds(expires_at))
        )

    def add(self, key: str, value: str, expires_at: float) -> str | None:
        """Set the value if there is none; return the one that was there."""
        entry: list[str | int] = [value, _milliseconds(expires_at)]
        return _text(self._ask(lambda: self._add(keys=[self._prefix + key], args=entry)))

    def __repr__(self) -> str:
        return f"RedisStore(prefix={self._prefix!r})"

    def _ask(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except self._failures as exc:
            raise StoreError(f"Redis: {type(exc).__name__}: {exc}") from exc


def _client(url: str, timeout: float) -> Any:
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.exceptions import ConnectionError as LostConnection
    from redis.retry import Retry

    # A connection out of the pool may be one that a restart of the server has cut; one more try tells.
    # A time-out is not tried again: it would double the wait.
    retry = Retry(NoBackoff(), 1, supported_errors=(LostConnection,))
    return Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=retry)


def _client_faults(client_or_url: object) -> Iterator[str]:
    from redis import Redis

    if isinstance(client_or_url, str):
        try:
            Redis.from_url(client_or_url)
        except ValueError:
            # Neither the URL nor the exception's text is repeated: they may hold the password.
            yield "client_or_url: this is no URL of Redis; write e.g. 'redis://localhost:6379/0'"
    elif not isinstance(client_or_url, Redis):
        yield f"client_or_url: a {type(client_or_url).__name__} is neither; write e.g. 'redis://localhost:6379/0'"


def _exposures(pool: Any) -> Iterator[StoreExposed]:
    """Say what a connection to another host lacks. Sentinels and Unix sockets have no host."""
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


def _prefix_faults(prefix: object) -> Iterator[str]:
    if not isinstance(prefix, str):
        yield f"prefix: a {type(prefix).__name__} is no prefix; write a str"


def _milliseconds(expires_at: float) -> int:
    return max(int(expires_at * 1000), 1)


def _text(value: Any) -> str | None:
    try:
        return value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError as exc:
        raise StoreError("Redis: a value is no text") from exc
