"""`TokenUser`: the user of a request in Django, if there is no function that loads one."""

from jwt_middleware.tokens import AccessToken


class TokenUser:
    """The user of a project without ``LOAD_USER``: authenticated, and without permissions."""

    is_authenticated = is_active = True
    is_anonymous = is_staff = is_superuser = False

    def __init__(self, token: AccessToken) -> None:
        self.token = token

    @property
    def pk(self) -> str | None:
        """The subject of the token."""
        return self.token.subject

    username = id = pk

    def __str__(self) -> str:
        return str(self.pk)

    def get_username(self) -> str:
        """Return the subject of the token."""
        return str(self)

    def has_perm(self, permission: str, obj: object = None) -> bool:
        """Return False: the token does not know Django's permissions."""
        return False

    has_perms = has_module_perms = has_perm
