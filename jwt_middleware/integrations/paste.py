"""PasteDeploy: the middleware as a filter of an ini file.

[filter:jwt]
use = egg:wsgi-jwt-middleware
jwks_url = https://id.example.com/jwks.json
issuer = https://id.example.com
audience = https://api.example.com
public = /health /static/*
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final
from wsgiref.types import WSGIApplication

from jwt_middleware.arguments import Problems
from jwt_middleware.jose import ASYMMETRIC
from jwt_middleware.keys import RemoteJWKSet, SecretKey
from jwt_middleware.middleware import JWTMiddleware
from jwt_middleware.policy import Policy, public
from jwt_middleware.verifier import Verifier

_KEYS: Final = ("secret", "jwks_url")
_REQUIRED: Final = ("issuer", "audience")
_LISTS: Final = ("algorithm", "audience", "public")
_OPTIONS: Final = (*_KEYS, "algorithm", *_REQUIRED, "public")


def filter_factory(
    global_conf: Mapping[str, str], /, **options: str
) -> Callable[[WSGIApplication], JWTMiddleware]:
    """Return a filter that puts `JWTMiddleware` around an application.

    The options are named like the arguments of the package. The keys come from `secret` or from
    `jwks_url`. `audience`, `public`, and the `algorithm` of a `jwks_url` may be several values,
    separated by white space. No value comes from `global_conf`, which all sections share.

    Raises `ConfigurationError`.
    """
    _check(global_conf, options)
    verifier = Verifier(
        _keys(options), issuer=options["issuer"], audience=options["audience"].split()
    )
    paths = options.get("public", "").split()
    policy = Policy(public(*paths)) if paths else Policy()
    return partial(JWTMiddleware, verifier=verifier, policy=policy)


def _check(global_conf: Mapping[str, str], options: Mapping[str, str]) -> None:
    problems = Problems()
    for name in sorted(options.keys() - set(_OPTIONS)):
        problems.add(f"{name}: there is no such option; write one of {', '.join(_OPTIONS)}")
    given = [name for name in _KEYS if name in options]
    if len(given) != 1:
        problems.add("secret, jwks_url: write exactly one of them")
    for name in _REQUIRED:
        if name not in options:
            problems.add(f"{name}: it is missing; write it in the section of this filter")
    for name in _OPTIONS:
        is_needless = name in _KEYS and given
        if name in global_conf and name not in options and not is_needless:
            # It may be in the section as well, but PasteDeploy does not pass it then.
            problems.add(
                f"{name}: [DEFAULT] has this option too, so PasteDeploy ignores the one of the"
                f" section; give it another name in [DEFAULT], or write 'get {name} = {name}'"
            )
    for name in _LISTS:
        if "," in options.get(name, ""):
            problems.add(f"{name}: separate the values by spaces, without commas")
    problems.raise_if_any()


def _keys(options: Mapping[str, str]) -> SecretKey | RemoteJWKSet:
    algorithm = options.get("algorithm")
    if "secret" in options:
        return SecretKey(options["secret"], algorithm="HS256" if algorithm is None else algorithm)
    algorithms = ASYMMETRIC if algorithm is None else algorithm.split()
    return RemoteJWKSet(options["jwks_url"], algorithms=algorithms)
