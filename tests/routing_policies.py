"""Policies, and what each of them asks for each view.

This is the oracle of the tests of routing. It knows nothing of paths: it compares the view that ran
with the credential of the request.
"""

from typing import NamedTuple

from jwt_middleware import Policy, delegate, optional, public, require
from tests.conftest import good_claims, sign_raw
from tests.routing_apps import PATHS

# What a policy asks of a request to a view; everything else is the name of a scope.
NOTHING, NO_BAD_TOKEN, GOOD_TOKEN = "nothing", "no bad token", "good token"


class Credential(NamedTuple):
    """A token, or None, with what it is worth."""

    token: str | None
    claims: dict | None = None

    def satisfies(self, need):
        """Tell whether the request has what is asked for."""
        if need in {NOTHING, NO_BAD_TOKEN}:
            return need == NOTHING or self.token is None or self.claims is not None
        if self.claims is None:
            return False
        return need == GOOD_TOKEN or need in self.claims.get("scope", "").split()


def signed(**claims):
    """Return a good credential."""
    claims = good_claims(exp=4_000_000_000, **claims)
    return Credential(sign_raw(claims), claims)


# From the weakest to the strongest, so that the first that suffices is the least.
CREDENTIALS = {
    "forged": Credential(sign_raw(good_claims(scope="admin orders:write"), secret="x" * 32)),
    "none": Credential(None),
    "plain": signed(),
    "writer": signed(scope="orders:write"),
    "admin": signed(scope="admin"),
    "all": signed(scope="orders:write admin"),
}


class Case(NamedTuple):
    """A policy, and what it asks for each view and method."""

    policy: Policy
    need: dict

    def need_of(self, view, method):
        """Return what the view's rule asks for."""
        page = view.rstrip("+")
        keys = [(view, method), view, (page, method), page, "*"]
        return next(self.need[key] for key in keys if key in self.need)


ADMIN = {"admin": "admin", "users": "admin"}
READERS = {(view, method): NOTHING for view in ("orders", "order") for method in ("GET", "HEAD")}
WRITERS = {(view, "POST"): "orders:write" for view in ("orders", "order")}


def cases(mount="", slash="", *, methods=True):
    """Return the policies, by name, for an application below `mount` whose pages end in `slash`."""

    def at(*paths):
        return [mount + path for path in paths]

    # A rule for one page says nothing of what a view finds below it: that takes a rule with "/*".
    one_page = {"*": NOTHING, "admin+": NOTHING, "users+": NOTHING, **ADMIN}
    pages = at("/admin", "/admin/users")
    found = {
        "all": Case(Policy(), {"*": GOOD_TOKEN}),
        "closed": Case(
            Policy(public(*at("/static/*", "/health" + slash))),
            {"*": GOOD_TOKEN, "static": NOTHING, "health": NOTHING},
        ),
        "open": Case(
            Policy(require(*at("/admin/*"), scopes=["admin"]), public("/*")),
            {"*": NOTHING, **ADMIN},
        ),
        "page": Case(Policy(require(*pages, scopes=["admin"]), public("/*")), one_page),
        "slash": Case(
            Policy(require(*[page + "/" for page in pages], scopes=["admin"]), public("/*")),
            one_page,
        ),
        "mild": Case(
            Policy(
                optional(*at("/orders/*")),
                delegate(*at("/grüße/*")),
                require(*at("/admin/*"), scopes=["admin"]),
                public(*at("/")),
            ),
            {
                "*": GOOD_TOKEN,
                "home": NOTHING,
                "greet": NOTHING,
                "orders": NO_BAD_TOKEN,
                "order": NO_BAD_TOKEN,
                **ADMIN,
            },
        ),
        "methods": Case(
            Policy(
                require(*at("/orders/*"), methods=["POST"], scopes=["orders:write"]),
                public(*at("/orders/*"), methods=["GET"]),
            ),
            {"*": GOOD_TOKEN} | READERS | WRITERS,
        ),
    }
    if not methods:
        del found["methods"]
    return found


def canonical(mount="", slash=""):
    """Return the path of each view as its author wrote it, as PATH_INFO."""
    for view, pattern in PATHS.items():
        path = pattern.replace("<path:path>", "css/site.css").replace("<id>", "7")
        path = path.replace("<name>", "Jürgen")
        ending = "" if view in {"home", "static"} else slash
        yield view, (mount + path + ending).encode().decode("latin-1")
