"""The database of the application that moves. It is the same at every step."""


class Database:
    """Users, their notes, and the ids of tokens that were revoked."""

    def __init__(self):
        self.users = {
            "alice": {"password": "correct horse", "name": "Alice", "roles": ["admin"]},
            "bob": {"password": "battery staple", "name": "Bob", "roles": []},
        }
        self.notes = {"alice": ["buy milk"], "bob": []}
        self.revoked = set()

    def user(self, name, password):
        """Return the user with this password, or None."""
        user = self.users.get(name)
        return user if user is not None and user["password"] == password else None
