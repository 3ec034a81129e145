"""WSGI requests: the token, and everything around it that a client or a server may get wrong."""

from typing import NamedTuple

from tests.fuzz import values
from tests.fuzz.targets import ISSUER, NOW, ORIGINS
from tests.fuzz.tokens import bent_token, changed_text, good_token

_PLAIN = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/elsewhere",
    "QUERY_STRING": "",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_HOST": "localhost",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}
# PEP 3333 lets a server leave these out or empty; REQUEST_METHOD only a broken server leaves out.
_OPTIONAL = ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "HTTP_HOST", "REQUEST_METHOD")
_FORGED = ("jwt_middleware.claims", "jwt_middleware.token", "jwt_middleware.error")
_OTHER_HEADERS = (
    *("HTTP_HOST", "HTTP_ACCEPT", "HTTP_X_REAL_IP", "HTTP_X_HTTP_METHOD_OVERRIDE"),
    # Pyramid puts this one in front of the path.
    "HTTP_X_VHM_ROOT",
)
_SCOPES = ("admin", "a", "b c", "admin orders:write", "orders:write", "")
_SITES = (
    "same-origin",
    "same-site",
    "cross-site",
    "none",
    "",
    "SAME-ORIGIN",
    "same-origin, cross-site",
    values.CANARY,
)
_ORIGINS = (
    *(
        "http://localhost",
        "https://localhost",
        "null",
        "",
        "http://localhost:80",
        f"https://{values.CANARY}",
        "*",
    ),
    *(
        *ORIGINS,
        ORIGINS[0].upper(),
        f"{ORIGINS[0]}:443",
        f"{ORIGINS[0]}:80",
        f"{ORIGINS[0]}/",
        f" {ORIGINS[0]}",
    ),
    *(
        f"{ORIGINS[0]}.{values.CANARY}",
        f"{ORIGINS[0]}, {ORIGINS[1]}",
        f"{ORIGINS[0]}\r\nX: y",
        f"{ORIGINS[0]}\xff",
    ),
)
_SCHEMES = (
    "Bearer ",
    "bearer ",
    "BEARER ",
    "Bearer  ",
    "Bearer",
    "Bearer\t",
    " Bearer ",
    "Bearer \t",
    "Bearer,",
)
_OTHER_SCHEMES = (
    "Basic ",
    "DPoP ",
    "Bearer: ",
    "JWT ",
    "Bearer=",
    "",
    "Token ",
    "\xa0Bearer ",
    "Bearer\xa0",
)


class Request(NamedTuple):
    """A request; `is_good` if it must reach the application with its claims."""

    environ: dict[str, object]
    is_good: bool


class Pool:
    """The tokens of one target, signed beforehand: a token serves several requests."""

    def __init__(self, rng, target, keys, size):
        self._tokens = [self._make(rng, target.terms, keys) for _ in range(size)]
        self.good = [token for token in self._tokens if token.is_good]

    def any(self, rng):
        """Return any token."""
        return rng.choice(self._tokens)

    def _make(self, rng, terms, keys):
        issuer = rng.choice(list(terms.keys))
        signer = _choose_signer(rng, terms.keys[issuer])
        claims = _good_claims(rng, issuer or ISSUER, terms.audience)
        if rng.random() < 0.3:
            return good_token(rng, signer, claims, types=terms.types)
        options = {"now": NOW, "strangers": keys.strangers, "types": terms.types}
        return bent_token(rng, signer, claims, **options)


def make_request(rng, target, pool, other_pool):
    """Return one request to the target, with a token of its pool or sometimes of the other."""
    environ = _PLAIN.copy()
    if pool.good and rng.random() < 0.1:
        _carry(environ, target, rng.choice(pool.good).text)
        return Request(environ, is_good=target.store is None)
    token = (other_pool if rng.random() < 0.1 else pool).any(rng)
    text = token.text if rng.random() < 0.8 else changed_text(rng, token.text)
    if rng.random() < 0.8:
        _carry(environ, target, text)
    else:
        _carry_oddly(rng, environ, target, text)
    _surround(rng, environ)
    return Request(environ, is_good=False)


def _choose_signer(rng, signers):
    """Prefer keys that sign fast; the others still sign often enough."""
    signer = rng.choice(signers)
    slow = signer.algorithm in {"RS256", "PS256", "ES384", "ES512"}
    return rng.choice(signers) if slow else signer


def _good_claims(rng, issuer, audience):
    claims = {
        "iss": issuer,
        "sub": rng.choice(("alice", "bob", "zoë")),
        "iat": NOW - rng.randrange(100),
    }
    claims |= {"exp": NOW + rng.randrange(31, 600), "jti": f"id-{rng.randrange(20)}"}
    if audience is not None:
        claims["aud"] = rng.choice((audience[0], list(audience), ["x", audience[0]]))
    if rng.random() < 0.6:
        claims["scope"] = rng.choice(_SCOPES)
    if rng.random() < 0.2:
        claims["scp"] = rng.choice((["admin"], ["a", "b"], "orders:write"))
    if rng.random() < 0.3:
        claims["sid"] = f"s{rng.randrange(5)}"
    if rng.random() < 0.3:
        claims["realm_access"] = {
            "roles": ["r1", {"deep": [1, 2.5, None]}],
            values.CANARY: values.CANARY,
        }
    return claims


def _carry(environ, target, text):
    if target.cookie is None:
        environ["HTTP_AUTHORIZATION"] = f"Bearer {text}"
    else:
        environ["HTTP_COOKIE"] = f"{target.cookie}={text}"


def _carry_oddly(rng, environ, target, text):
    """Put the token where it belongs in an odd way, or where it does not belong."""
    where = rng.randrange(10)
    if where == 0:
        return
    if where == 1:
        environ["QUERY_STRING"] = f"access_token={text}"
        environ["HTTP_X_AUTHORIZATION"] = f"Bearer {text}"
    elif target.cookie is None or where == 2:
        environ["HTTP_AUTHORIZATION"] = _odd_header(rng, text)
    if target.cookie is not None and where > 2:
        environ["HTTP_COOKIE"] = _odd_cookies(rng, target.cookie, text)


def _odd_header(rng, text):
    kind = rng.randrange(12)
    if kind == 0:
        return rng.choice(_OTHER_SCHEMES) + text
    if kind == 1:
        return f"Bearer {text}{rng.choice((', ', ',', ' , ', ' '))}Bearer {text}"
    if kind == 2:
        return f"Basic eDp5, Bearer {text}"
    if kind == 3:
        return rng.choice((values.text(rng), values.latin1(rng)))
    if kind == 4:
        return "Bearer " + rng.choice((values.text(rng), values.latin1(rng)))
    if kind == 5:
        piece = rng.choice(("A", "A.", " ", ",", "é", values.CANARY))
        return "Bearer " + piece * rng.choice((20_000, 70_000))
    end = rng.choice(("", "", "", " ", "  ", "\t", "\x00", "\r\n", '"', "\xa0", "=", ";", " x"))
    return rng.choice(_SCHEMES) + text + end


def _odd_cookies(rng, name, text):
    pair = rng.choice(
        (
            f"{name}={text}",
            f" {name}={text}",
            f"{name} = {text}",
            f'{name}="{text}"',
            f"{name.lower()}={text}",
        )
    )
    others = (
        f"{name}=x",
        f"{name}=",
        name,
        f"a={values.CANARY}",
        "a",
        "=",
        "",
        "a=b=c",
        values.text(rng),
        f"x{name}=1",
    )
    parts = [pair, *rng.choices(others, k=rng.randrange(4))]
    rng.shuffle(parts)
    return rng.choice(("; ", ";", " ;\t", ", ")).join(parts) * rng.choice((1, 1, 1, 1, 200))


def _surround(rng, environ):
    """Change what is around the token: most requests in one or two ways, some in none."""
    if rng.random() < 0.7:
        environ["PATH_INFO"] = rng.choice(values.PATHS) if rng.random() < 0.6 else values.path(rng)
    if rng.random() < 0.4:
        is_usual = rng.random() < 0.6
        environ["REQUEST_METHOD"] = rng.choice(values.METHODS) if is_usual else values.method(rng)
    chance = rng.random()
    if chance < 0.08:
        environ["SCRIPT_NAME"] = rng.choice(("/app", values.path(rng), values.text(rng)))
    elif chance < 0.16:
        environ.pop(rng.choice(_OPTIONAL))
    elif chance < 0.2:
        environ[rng.choice(_OPTIONAL)] = ""
    elif chance < 0.25:
        environ[rng.choice(_FORGED)] = {"sub": values.CANARY}
    elif chance < 0.3:
        environ[rng.choice(_OTHER_HEADERS)] = values.text(rng)
    if rng.random() < 0.3:
        _ask_across_origins(rng, environ)


def _ask_across_origins(rng, environ):
    if rng.random() < 0.5:
        environ["HTTP_ORIGIN"] = rng.choice(_ORIGINS)
    if rng.random() < 0.5:
        environ["HTTP_SEC_FETCH_SITE"] = rng.choice(_SITES)
    if rng.random() < 0.3:
        environ["REQUEST_METHOD"] = rng.choice(("OPTIONS", "OPTIONS", "options"))
        environ["HTTP_ACCESS_CONTROL_REQUEST_METHOD"] = rng.choice(("POST", "", values.CANARY))
        wanted = rng.choice(("authorization", values.CANARY, values.text(rng)))
        environ["HTTP_ACCESS_CONTROL_REQUEST_HEADERS"] = wanted
