"""Where an issuer publishes its keys: OpenID Connect Discovery 1.0 §4 and RFC 8414 §3."""

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from jwt_middleware.arguments import Problems, url_problem
from jwt_middleware.jose import parse_json_object
from jwt_middleware.keys.fetch import Fetched

_OPENID: Final = "/.well-known/openid-configuration"
_OAUTH: Final = "/.well-known/oauth-authorization-server"

# Fetches one URL in the time that the whole attempt has left.
FetchURL = Callable[[str], Fetched]


class FixedLocation:
    """A JWK set whose URL is known."""

    def __init__(self, url: str, *, allow_http: bool) -> None:
        self.url = url
        self._allow_http = allow_http

    def check(self, problems: Problems) -> None:
        """Add what is wrong with the URL."""
        problems.url("url", self.url, allow_http=self._allow_http)

    def find(self, fetch: FetchURL) -> str:
        """Return the URL."""
        return self.url

    def forget(self) -> None:
        """Do nothing, because there is no other URL to try."""


class DiscoveredLocation:
    """A JWK set whose URL is in the metadata of its issuer. It is read when it is first needed."""

    def __init__(self, issuer: str, *, allow_http: bool) -> None:
        self._issuer = issuer
        self._allow_http = allow_http
        self._found: str | None = None

    @property
    def url(self) -> str:
        """The URL of the OpenID metadata, which names this location in events."""
        return _metadata_urls(self._issuer)[0]

    def check(self, problems: Problems) -> None:
        """Add what is wrong with the issuer."""
        problems.url("issuer", self._issuer, allow_http=self._allow_http)
        if isinstance(self._issuer, str) and "/.well-known/" in self._issuer:
            problems.add(
                "issuer: this is the URL of the metadata; write the issuer that the metadata"
                " names, e.g. 'https://id.example.com'"
            )

    def find(self, fetch: FetchURL) -> str:
        """Return the ``jwks_uri`` of the metadata. The OpenID document is tried first.

        Raises what `fetch` raises if neither document can be fetched. Raises ValueError if a
        document is not JSON, or is the metadata of another issuer.
        """
        self._found = self._found or self._discover(fetch)
        return self._found

    def forget(self) -> None:
        """Read the metadata again at the next attempt, because the keys may have a new URL."""
        self._found = None

    def _discover(self, fetch: FetchURL) -> str:
        openid, oauth = _metadata_urls(self._issuer)
        try:
            metadata = parse_json_object(fetch(openid).body)
        except Exception:  # noqa: BLE001
            # There is no such document, or an HTML page says so. A user's own `fetch` may raise
            # any exception.
            metadata = parse_json_object(fetch(oauth).body)
        # OpenID Connect Discovery §4.3, RFC 8414 §3.3: one issuer must not name another's keys.
        issuer = metadata.get("issuer")
        if issuer != self._issuer:
            raise ValueError(f"this is the metadata of {issuer!r}, not of {self._issuer!r}")
        url = metadata.get("jwks_uri")
        if url_problem(url, allow_http=self._allow_http) is not None:
            raise ValueError("the jwks_uri of the metadata is not an https URL")
        return str(url)


def _metadata_urls(issuer: str) -> tuple[str, str]:
    """Return where the metadata may be.

    OpenID Connect appends its name to the issuer's path. RFC 8414 inserts its name before the path.
    """
    parts = urlsplit(issuer)
    path = parts.path.removesuffix("/")
    return (
        f"{issuer.removesuffix('/')}{_OPENID}",
        f"{parts.scheme}://{parts.netloc}{_OAUTH}{path}",
    )
