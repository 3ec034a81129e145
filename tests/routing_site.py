"""Some applications of `routing` behind each policy, as one site for real servers.

The header ``X-Site`` chooses: ``flask-lax open`` is the application and the policy.
"""

from functools import cache

from tests.routing import VARIANTS, Shell, guard

# The most lenient applications, since servers normalize paths before them.
NAMES = ("flask-lax", "pyramid-traversal", "pyramid-named-views", "bottle")


@cache
def application(name):
    """Return an application, made once."""
    return Shell(VARIANTS[name].make())


@cache
def guarded(name, policy):
    """Return it behind a policy."""
    return guard(application(name), VARIANTS[name].cases()[policy].policy)


def app(environ, start_response):
    """Pass a request on to the application and policy that its header names."""
    return guarded(*environ["HTTP_X_SITE"].split())(environ, start_response)
