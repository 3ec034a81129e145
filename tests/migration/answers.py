"""The bodies of refusals, as the clients of the application know them."""

import json

from werkzeug.wrappers import Response

TEXTS = {
    "token_missing": "Please log in",
    "token_expired": "Please refresh",
    "check_failed": "Admins only",
}


def render(error, environ):
    """Return a body with the member ``msg``, and the reason for new clients."""
    text = TEXTS.get(error.reason, error.description)
    body = json.dumps({"msg": text, "reason": error.reason})
    return Response(body, content_type="application/json")
