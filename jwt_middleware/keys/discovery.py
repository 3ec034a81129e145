"""Where an issuer publishes its keys: OpenID Connect Discovery 1.0 §4 and RFC 8414 §3."""

from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import urlsplit

from jwt_middleware.arguments import url_faults
from jwt_middleware.jose import parse_json_object
from jwt_middleware.keys.fetch import Fetched

_OPENID: Final = "/.well-known/openid-configuration"
_OAUTH: Final = "/.well-known/oauth-authorization-server"

# Fetches one URL with whatever time the whole attempt has left.
Get = Callable[[str], Fetched]


class FixedLocation:
    """A JWK set whose URL is known."""

    def __init__(self, url: str) -> None:
        self._url = url

    def find(self, get: Get) -> str:
        """Return the URL."""
        return self._url

    def forget(self) -> None:
        """Do nothing: there is no other URL to try."""


class DiscoveredLocation:
    """A JWK set whose URL stands in its issuer's metadata, looked up when it is first needed."""

    def __init__(self, issuer: str, *, allow_http: bool) -> None:
        self._issuer = issuer
        self._allow_http = allow_http
        self._found: str | None = None

    def find(self, get: Get) -> str:
        """Return the ``jwks_uri`` of the metadata, of which the OpenID document is tried first.

        Raises whatever `get` does, or ValueError, where neither document can be had, or the one that can is not this issuer's.
        """
        self._found = self._found or self._discover(get)
        return self._found

    def forget(self) -> None:
        """Look the metadata up anew at the next attempt: the issuer may have moved its keys."""
        self._found = None

    def _discover(self, get: Get) -> str:
        openid, oauth = metadata_urls(self._issuer)
        try:
            metadata = parse_json_object(get(openid).body)
        except Exception:  # noqa: BLE001
            # Not there, or a page that says so in HTML; a `fetch` of the user's own raises what it likes.
            metadata = parse_json_object(get(oauth).body)
        # OpenID Connect Discovery §4.3, RFC 8414 §3.3: or one issuer could speak for another.
        found = metadata.get("issuer")
        if found != self._issuer:
            raise ValueError(f"the metadata is of {found!r}, not of {self._issuer!r}")
        url = metadata.get("jwks_uri")
        if list(url_faults("jwks_uri", url, allow_http=self._allow_http)):
            raise ValueError("the metadata has no jwks_uri that is an https URL")
        return str(url)


def issuer_faults(issuer: object, *, allow_http: object) -> Iterator[str]:
    """Say why the metadata of an issuer cannot be looked up."""
    yield from url_faults("issuer", issuer, allow_http=allow_http)
    if isinstance(issuer, str) and "/.well-known/" in issuer:
        yield "issuer: this is where its metadata is; write the issuer that it names, e.g. 'https://id.example.com'"


def metadata_urls(issuer: str) -> tuple[str, str]:
    """Return where an issuer's metadata may be: OpenID Connect appends to the path, RFC 8414 puts before it."""
    parts = urlsplit(issuer)
    path = parts.path.removesuffix("/")
    return (
        f"{issuer.removesuffix('/')}{_OPENID}",
        f"{parts.scheme}://{parts.netloc}{_OAUTH}{path}",
    )
