"""The adapter for Django REST framework, with and without the adapter for Django."""

from typing import Any

from rest_framework.exceptions import APIException
from rest_framework.permissions import OperationHolderMixin

from jwt_middleware.errors import AuthError, InsufficientScope, MissingToken
from jwt_middleware.integrations._views import rule_of_view
from jwt_middleware.integrations.django import answer, setup
from jwt_middleware.policy import OPTIONAL, Decision
from jwt_middleware.tokens import ERROR, TOKEN, AccessToken, token_from


class JWTAuthentication:
    """Authenticates requests by their token: ``request.user``, and ``request.auth`` is the token.

    Behind `JWTAuthenticationMiddleware` it takes the token that was verified there. Without it, it
    verifies the token itself, as the setting ``JWT_MIDDLEWARE`` says. A request without a token is
    anonymous, and the permissions decide. An invalid token is refused.
    """

    def authenticate(self, request: Any) -> tuple[Any, AccessToken] | None:
        """Return user and token, or None for a request without token."""
        try:
            return _identity(request._request)
        except MissingToken:
            return None
        except AuthError as error:
            raise Refused(error, request) from error

    def authenticate_header(self, request: Any) -> str | None:
        """Return the challenge, with which DRF answers 401 and not 403."""
        return MissingToken().challenge(setup().realm)


class HasScopes(OperationHolderMixin):  # type: ignore[misc]  # DRF has no types.
    """The permission of tokens that have all of the scopes.

    ``permission_classes = [HasScopes("orders:read")]``. It combines with ``&``, ``|`` and ``~``.
    """

    def __init__(self, *scopes: str) -> None:
        self._scopes = rule_of_view(scopes).scopes
        # The body of DRF's refusal.
        self.message = InsufficientScope(scopes=scopes).to_dict()

    def __call__(self) -> "HasScopes":
        """Return the permission, which DRF makes anew for each request."""
        return self

    def has_permission(self, request: Any, view: object) -> bool:
        """Tell whether the token has the scopes."""
        token = request.META.get(TOKEN)
        return token is not None and bool(token.scopes.issuperset(self._scopes))

    def has_object_permission(self, request: Any, view: object, obj: object) -> bool:
        """Return True: scopes do not depend on an object."""
        return True


def _identity(request: Any) -> tuple[Any, AccessToken]:
    ours = setup()
    if TOKEN not in request.META and ERROR not in request.META:
        ours.middleware.authenticate(request.META, Decision(OPTIONAL))
    token = token_from(request.META)
    ours.identify(request)
    return request.user, token


class Refused(APIException):  # type: ignore[misc]
    """An `AuthError` for DRF's exception handlers, with the status, body and challenge."""

    def __init__(self, error: AuthError, request: Any) -> None:
        response = answer(error, request)
        super().__init__(error.to_dict())
        self.status_code = error.status
        self.auth_header = response.headers.get("WWW-Authenticate")
        self.wait = error.retry_after
