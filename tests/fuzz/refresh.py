"""`TokenIssuer.refresh` with hostile refresh tokens and a store that lies."""

import hashlib
import hmac
import json

from jwt_middleware import AuthError, MemoryStore, SecretKey
from jwt_middleware.errors import registry
from tests.fuzz import values
from tests.fuzz.signing import Signer, base64url, from_base64url
from tests.fuzz.stores import FAILED, HostileStore
from tests.fuzz.targets import AUDIENCE, ISSUER, NOW
from tests.fuzz.tokens import bent_token, changed_text

_ACCESS_TTL, _REFRESH_TTL = 600, 86_400
_OWN = ("iss", "sub", "sid")
_REGISTRY = registry()


class RefreshFuzzer:
    """Grants sessions, and spends, bends and forges their refresh tokens."""

    def __init__(self, keys, rng, make_issuer):
        self._rng = rng
        self._keys = keys
        self._now = NOW
        self._store = HostileStore(MemoryStore(clock=self._clock), rng, honesty=0.85)
        options = {
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "access_ttl": _ACCESS_TTL,
            "refresh_ttl": _REFRESH_TTL,
        }
        options |= {"store": self._store, "clock": self._clock, "on_event": lambda event: None}
        options |= {"session_ttl": 2 * _REFRESH_TTL, "reload": self._reload}
        secret = hashlib.sha256(b"refresh" + keys.secret.private).digest()
        options["refresh_secret"] = SecretKey(secret)
        self._issuer = make_issuer(SecretKey(keys.secret.private), **options)
        # The derived secret that signs refresh tokens. A token of another release may be signed
        # with it too, and hold other claims.
        self._signer = Signer(
            "HS256", None, hmac.digest(secret, b"jwt_middleware refresh tokens", "sha256")
        )
        self._granted = []

    def step(self):
        """Do one thing; return what became of it, the token, and the laws that it broke."""
        self._now += self._rng.choice((0, 0, 1, 5, 30))
        kind = self._rng.randrange(10)
        if kind < 2 or not self._granted:
            return self._attempt("", lambda: self._issuer.grant("alice", scopes=["a"]), None)
        granted = self._rng.choice(self._granted[-20:])
        token = granted if kind < 6 else self._hostile(granted)
        if kind == 9:
            return self._attempt(token, lambda: self._issuer.revoke(token), None)
        return self._attempt(token, lambda: self._issuer.refresh(token), token)

    def _reload(self, subject, scopes, claims):
        """Mostly keep what was granted, sometimes change it, and sometimes end the session."""
        return self._rng.choice([(scopes, claims)] * 8 + [(["a", "b"], {"level": 3}), None])

    def _clock(self):
        return self._now

    def _hostile(self, granted):
        kind = self._rng.randrange(4)
        if kind == 0:
            return changed_text(self._rng, granted)
        if kind == 1:
            return self._rng.choice(
                (None, b"x", 5, "", values.text(self._rng), "A" * 20_000, "\ud800")
            )
        claims = _claims(granted)
        if kind == 2:
            options = {
                "now": self._now,
                "strangers": self._keys.strangers,
                "types": ["refresh+jwt"],
            }
            return bent_token(self._rng, self._signer, claims, **options).text
        return self._resigned(claims)

    def _resigned(self, claims):
        """Sign other claims just as the issuer signs its refresh tokens."""
        members = {name: json.dumps(value) for name, value in claims.items()}
        for name in self._rng.sample(sorted(members), self._rng.choice((1, 1, 2))):
            members[name] = values.json_text(self._rng)
        payload = "{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}"
        header = base64url(b'{"alg":"HS256","typ":"refresh+jwt"}')
        signing_input = header + b"." + base64url(payload.encode("utf-8", "surrogatepass"))
        return (signing_input + b"." + base64url(self._signer.sign(signing_input))).decode()

    def _attempt(self, token, act, spent):
        self._store.last = None
        try:
            answer = act()
        except AuthError as error:
            known = _REGISTRY.get(error.reason) is type(error)
            return error.reason, token, [] if known else [f"{error.reason} is not of the registry"]
        except Exception as exc:  # noqa: BLE001  # Any other exception is a finding.
            return "exception", token, [f"exception: {type(exc).__name__}: {exc}"]
        if answer is None:
            return "session ended", token, []
        found = list(self._problems(spent, answer))
        if not found:
            self._granted.append(answer["refresh_token"])
        return "session granted" if spent is None else "session refreshed", token, found

    def _problems(self, spent, answer):
        access, successor = _claims(answer["access_token"]), _claims(answer["refresh_token"])
        if self._store.last == FAILED:
            yield "the store failed, and tokens were issued"
        if spent is not None:
            if not self._was_signed(spent):
                yield "a token was spent that was never signed"
                return
            try:
                original = _claims(spent)
            except ValueError:
                yield "a token was spent that cannot be read"
                return
            for name in _OWN:
                if not original.get(name) == access[name] == successor[name]:
                    yield f"{name} is not the one of the refresh token"
        if not self._was_signed(answer["refresh_token"]):
            yield "the secret of refresh tokens is not derived as the fuzzer derives it"
        for name, claims, ttl in (
            ("access", access, _ACCESS_TTL),
            ("refresh", successor, _REFRESH_TTL),
        ):
            # Within a minute: a session may begin in the second after its subject was revoked.
            if (
                not abs(claims["iat"] - self._now) <= 60
                or not 0 < claims["exp"] - claims["iat"] <= ttl
            ):
                times = f"{claims['iat']} to {claims['exp']}, now is {self._now}"
                yield f"times of the {name} token: {times}"

    def _was_signed(self, token):
        if not isinstance(token, str):
            return False
        signing_input, _, signature = token.encode("utf-8", "replace").rpartition(b".")
        return base64url(self._signer.sign(signing_input)) == signature


def _claims(token):
    return json.loads(from_base64url(token.split(".")[1]))
