"""An application that checks tokens with PyJWT, and the same with one mistake each."""

import base64
import json
import re
from urllib.parse import parse_qs
from urllib.request import urlopen

import jwt

CHALLENGE = [("WWW-Authenticate", 'Bearer realm="api"')]
TYPES = {None, "jwt", "at+jwt"}


class Refused(Exception):
    """The request is refused."""


def strict_json(segment):
    """Return the object in a segment, if it is written in the only way that is accepted."""
    raw = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    if base64.urlsafe_b64encode(raw).decode().rstrip("=") != segment:
        raise ValueError

    def once(pairs):
        members = dict(pairs)
        if len(members) < len(pairs):
            raise ValueError
        return members

    content = json.loads(raw.decode("utf-8"), object_pairs_hook=once)
    json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    if not isinstance(content, dict):
        raise ValueError
    return content


class CarefulApp:
    """Lets a request through if PyJWT accepts its token, and what PyJWT does not check is right."""

    # Old releases of PyJWT raise the last two for some times and issuers.
    errors = (Refused, jwt.PyJWTError, ValueError, RecursionError, TypeError, OverflowError)
    refusal = "401 Unauthorized"
    algorithms = ("ES256",)
    audience = True
    issuer = True
    leeway = 5
    require = ("exp", "iss", "aud", "sub")
    options = {}

    def __init__(self, fake_issuer):
        self.fake_issuer = fake_issuer
        self.key = fake_issuer.public_pem()

    def __call__(self, environ, start_response):
        try:
            token = self.credential(environ)
            claims = self.verify(token)
        except self.errors as error:
            return self.refuse(error, environ, start_response)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [claims["sub"].encode()]

    def credential(self, environ):
        found = re.fullmatch(
            r"Bearer ([\w-]+\.[\w-]+\.[\w-]+)", environ.get("HTTP_AUTHORIZATION", ""), re.ASCII
        )
        if found is None or len(found[1]) > 16_384:
            raise Refused
        return found[1]

    def verify(self, token):
        header, payload, signature = token.split(".")
        self.check_header(strict_json(header))
        claims = self.decode(token)
        strict_json(payload)
        if len(signature) == 86 and signature[-1] not in "AQgw":
            raise Refused  # A bit after the 64 bytes is set.
        self.check_claims(claims)
        return claims

    def check_header(self, header):
        if not header.keys().isdisjoint(("crit", "b64", "zip")):
            raise Refused
        typ = header.get("typ")
        if (typ.lower() if isinstance(typ, str) else typ) not in TYPES:
            raise Refused

    def decode(self, token):
        return jwt.decode(
            token,
            self.key,
            algorithms=list(self.algorithms),
            audience=self.fake_issuer.audience if self.audience else None,
            issuer=self.fake_issuer.issuer if self.issuer else None,
            leeway=self.leeway,
            options={
                "require": list(self.require),
                "verify_aud": self.audience,
                **self.options,
            },
        )

    def check_claims(self, claims):
        times = [claims[name] for name in ("exp", "nbf", "iat") if name in claims]
        if not all(type(value) in (int, float) and 0 < value < 2**53 for value in times):
            raise Refused
        if "cnf" in claims:
            raise Refused

    def refuse(self, error, environ, start_response):
        start_response(self.refusal, [*CHALLENGE, ("Content-Type", "text/plain")])
        return [b"refused"]


def header_of(token):
    """Return the header of a token, unverified."""
    return jwt.get_unverified_header(token)


class NoSignature(CarefulApp):
    """Switches the check of the signature off."""

    options = {"verify_signature": False, "verify_exp": True}


class AlgorithmOfTheHeader(CarefulApp):
    """Accepts the algorithm that the header names, also none."""

    def decode(self, token):
        if header_of(token)["alg"] == "none":
            return jwt.decode(token, options={"verify_signature": False})
        return super().decode(token)

    def credential(self, environ):
        return environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")

    def verify(self, token):
        if token.endswith("."):
            return self.decode(token)
        return super().verify(token)


class NoneInAnyCase(AlgorithmOfTheHeader):
    """Refuses the algorithm "none", and accepts its other spellings."""

    def decode(self, token):
        algorithm = header_of(token)["alg"]
        if algorithm != "none" and algorithm.lower() == "none":
            return jwt.decode(token, options={"verify_signature": False})
        return CarefulApp.decode(self, token)


class PublicKeyAsSecret(CarefulApp):
    """Uses its one key with each algorithm, as old libraries do."""

    def decode(self, token):
        if header_of(token)["alg"] != "HS256":
            return super().decode(token)
        import hashlib
        import hmac

        signing_input, _, signature = token.rpartition(".")
        expected = hmac.digest(self.key.encode(), signing_input.encode(), hashlib.sha256)
        if base64.urlsafe_b64encode(expected).decode().rstrip("=") != signature:
            raise Refused
        return json.loads(base64.urlsafe_b64decode(signing_input.split(".")[1] + "=="))


class NoAudience(CarefulApp):
    """Accepts tokens for every audience."""

    audience = False
    require = ("exp", "iss", "sub")


class AudienceByPart(NoAudience):
    """Looks for the audience with ``in``, also in a text."""

    def check_claims(self, claims):
        super().check_claims(claims)
        audience = claims.get("aud")
        if not audience or audience not in self.fake_issuer.audience:
            raise Refused


class NoIssuer(CarefulApp):
    """Accepts tokens that another issuer might have issued."""

    issuer = False
    require = ("exp", "aud", "sub")


class NoExpiry(CarefulApp):
    """Does not compare exp with the clock."""

    options = {"verify_exp": False}


class ExpiryIsOptional(CarefulApp):
    """Accepts tokens that never expire."""

    require = ("iss", "aud", "sub")


class LeewayOfADay(CarefulApp):
    """Accepts tokens a day too early and too late."""

    leeway = 86_400


class NoNotBefore(CarefulApp):
    """Does not compare nbf with the clock."""

    options = {"verify_nbf": False}


class TimesOfAnyType(CarefulApp):
    """Leaves the types of times to PyJWT."""

    def check_claims(self, claims):
        if "cnf" in claims:
            raise Refused


class IgnoresBindings(CarefulApp):
    """Accepts tokens that are bound to a key, as if they were not."""

    def check_claims(self, claims):
        super().check_claims({name: claims[name] for name in claims if name != "cnf"})


class IgnoresTyp(CarefulApp):
    """Accepts every type of token."""

    def check_header(self, header):
        super().check_header({name: header[name] for name in header if name != "typ"})


class IgnoresCrit(CarefulApp):
    """Ignores crit."""

    def decode(self, token):
        key = jwt.PyJWK.from_dict(self.fake_issuer.jwks()["keys"][0]).key
        signing_input, _, signature = token.rpartition(".")
        raw = base64.urlsafe_b64decode(signature + "==")
        algorithm = jwt.get_algorithm_by_name("ES256")
        if not algorithm.verify(signing_input.encode(), key, raw):
            raise Refused
        claims = json.loads(base64.urlsafe_b64decode(signing_input.split(".")[1] + "=="))
        if claims.get("aud") != self.fake_issuer.audience or claims.get("exp", 0) < 1e9:
            raise Refused
        return claims

    def check_header(self, header):
        super().check_header({name: header[name] for name in header if name != "crit"})


class TrustsKeysOfTheToken(CarefulApp):
    """Verifies with a key that the token brings or names; subclasses say which one."""

    def key_of(self, header):
        raise NotImplementedError

    def decode(self, token):
        try:
            self.key = self.key_of(header_of(token))
        except KeyError:
            self.key = self.fake_issuer.public_pem()
        return super().decode(token)


class TrustsJwk(TrustsKeysOfTheToken):
    """Verifies with the key in the header."""

    def key_of(self, header):
        return jwt.PyJWK.from_dict(header["jwk"])


class TrustsJku(TrustsKeysOfTheToken):
    """Fetches the keys from the URL in the header."""

    def key_of(self, header):
        with urlopen(header["jku"]) as answer:
            return jwt.PyJWK.from_dict(json.load(answer)["keys"][0])


class TrustsX5c(TrustsKeysOfTheToken):
    """Verifies with the certificate in the header."""

    def key_of(self, header):
        from cryptography.x509 import load_der_x509_certificate

        return load_der_x509_certificate(base64.b64decode(header["x5c"][0])).public_key()


class TrustsX5u(TrustsKeysOfTheToken):
    """Fetches the certificate from the URL in the header."""

    def key_of(self, header):
        from cryptography.x509 import load_pem_x509_certificate

        with urlopen(header["x5u"]) as answer:
            return load_pem_x509_certificate(answer.read()).public_key()


class LenientBase64(CarefulApp):
    """Leaves the form of the token to PyJWT."""

    def verify(self, token):
        claims = self.decode(token)
        self.check_header(header_of(token))
        self.check_claims(claims)
        return claims

    def credential(self, environ):
        return environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")


class LastDuplicateCounts(LenientBase64):
    """Leaves JSON to PyJWT, and checks only the form."""

    credential = CarefulApp.credential


class FirstOfTwoCredentials(CarefulApp):
    """Takes the first of several credentials."""

    def credential(self, environ):
        first = environ.get("HTTP_AUTHORIZATION", "").split(",")[0]
        return super().credential({"HTTP_AUTHORIZATION": first})


class AnyScheme(CarefulApp):
    """Takes the last word of the header under every scheme."""

    def credential(self, environ):
        last = (environ.get("HTTP_AUTHORIZATION", "").split() or [""])[-1]
        return super().credential({"HTTP_AUTHORIZATION": f"Bearer {last}"})


class SplitsAtAnyBlank(CarefulApp):
    """Splits the header at everything that Python takes for a blank."""

    def credential(self, environ):
        words = environ.get("HTTP_AUTHORIZATION", "").split()
        return super().credential({"HTTP_AUTHORIZATION": " ".join(words)})


class TokenInQuery(CarefulApp):
    """Accepts tokens in the query string."""

    def credential(self, environ):
        query = parse_qs(environ["QUERY_STRING"])
        return query["access_token"][0] if query else super().credential(environ)


class TokenInForm(CarefulApp):
    """Accepts tokens in a form."""

    def credential(self, environ):
        form = parse_qs(environ["wsgi.input"].read().decode())
        return form["access_token"][0] if form else super().credential(environ)


class TokenInJson(CarefulApp):
    """Accepts tokens in a JSON body."""

    def credential(self, environ):
        if environ["CONTENT_TYPE"] != "application/json":
            return super().credential(environ)
        return json.load(environ["wsgi.input"])["access_token"]


class TrustsRemoteUser(CarefulApp):
    """Believes a header of the client."""

    def __call__(self, environ, start_response):
        if "HTTP_X_REMOTE_USER" in environ:
            start_response("200 OK", [])
            return [environ["HTTP_X_REMOTE_USER"].encode()]
        return super().__call__(environ, start_response)


class OptionalToken(CarefulApp):
    """Lets requests without a token through."""

    def __call__(self, environ, start_response):
        if "HTTP_AUTHORIZATION" not in environ:
            start_response("200 OK", [])
            return [b"anonymous"]
        return super().__call__(environ, start_response)


class NoChallenge(CarefulApp):
    """Answers 401 without a challenge."""

    def refuse(self, error, environ, start_response):
        start_response(self.refusal, [("WWW-Authenticate", 'Basic realm="bearer"')])
        return [b"refused"]


class CrashesOnGarbage(CarefulApp):
    """Does not expect tokens that cannot be read."""

    errors = (Refused, jwt.PyJWTError)


class CrashesOnNesting(CarefulApp):
    """Has no limits, and does not expect a RecursionError."""

    errors = (Refused, jwt.PyJWTError, ValueError, TypeError, OverflowError)

    def credential(self, environ):
        return environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")


class CrashesWhileAnswering(CarefulApp):
    """Raises an exception when its answer is read."""

    def refuse(self, error, environ, start_response):
        start_response(self.refusal, CHALLENGE)
        yield b""
        raise KeyError("token")


class AnswersUnprocessable(CarefulApp):
    """Answers 422."""

    refusal = "422 Unprocessable Content"


class AnswersOk(CarefulApp):
    """Answers 200 and writes the error into the body."""

    refusal = "200 OK"


class RedirectsToLogin(CarefulApp):
    """Sends clients to a login page."""

    refusal = "302 Found"


class ReflectsToken(CarefulApp):
    """Repeats the credential in the body."""

    def refuse(self, error, environ, start_response):
        super().refuse(error, environ, start_response)
        return [b"not accepted: ", environ.get("HTTP_AUTHORIZATION", "").encode()]


class ReflectsTokenInHeader(CarefulApp):
    """Repeats the token in the challenge."""

    def refuse(self, error, environ, start_response):
        token = environ.get("HTTP_AUTHORIZATION", "")[-40:]
        challenge = f'Bearer realm="api", error_description="{token}"'
        start_response(self.refusal, [("WWW-Authenticate", challenge)])
        return [b"refused"]


class ReflectsClaims(CarefulApp):
    """Says which claims it does not like."""

    def refuse(self, error, environ, start_response):
        super().refuse(error, environ, start_response)
        token = environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")
        try:
            claims = jwt.decode(token, options={"verify_signature": False})
        except (ValueError, jwt.PyJWTError, RecursionError):
            return [b"refused"]
        return [f"{claims} is not acceptable".encode(errors="replace")]


class ShowsTraceback(CarefulApp):
    """Sends the traceback."""

    def refuse(self, error, environ, start_response):
        import traceback

        super().refuse(error, environ, start_response)
        return ["".join(traceback.format_exception(error)).encode(errors="replace")]


class ShowsKey(CarefulApp):
    """Sends the key that it expected."""

    def refuse(self, error, environ, start_response):
        super().refuse(error, environ, start_response)
        return [json.dumps(self.fake_issuer.jwks()).encode()]


class RefusesAll(CarefulApp):
    """Accepts nothing."""

    def credential(self, environ):
        raise Refused


# The broken applications, each with checks that it must not pass.
REFUSED, CHALLENGED, LEAKS = (
    "request_is_refused",
    "refusal_has_a_challenge",
    "refusal_leaks_nothing",
)
BROKEN = {
    NoSignature: [
        f"{REFUSED}[{name}]"
        for name in (
            "other-key",
            "tampered-payload",
            "signature-of-other-token",
            "signature-bit-flipped",
            "signature-zero",
            "signature-swapped",
        )
    ],
    AlgorithmOfTheHeader: [f"{REFUSED}[alg-none]"],
    NoneInAnyCase: [
        f"{REFUSED}[{name}]" for name in ("alg-none-title", "alg-none-upper", "alg-none-mixed")
    ],
    PublicKeyAsSecret: [f"{REFUSED}[hmac-with-pem]"],
    NoAudience: [
        f"{REFUSED}[{name}]"
        for name in ("other-audience", "audience-missing", "audience-empty", "audience-longer")
    ],
    AudienceByPart: [f"{REFUSED}[audience-shorter]"],
    NoIssuer: [f"{REFUSED}[{name}]" for name in ("other-issuer", "issuer-missing")],
    NoExpiry: [f"{REFUSED}[{name}]" for name in ("expired", "expired-ten-minutes-ago")],
    ExpiryIsOptional: [f"{REFUSED}[exp-missing]"],
    LeewayOfADay: [
        f"{REFUSED}[{name}]" for name in ("expired-ten-minutes-ago", "not-valid-for-ten-minutes")
    ],
    NoNotBefore: [f"{REFUSED}[{name}]" for name in ("not-yet-valid", "not-valid-for-ten-minutes")],
    TimesOfAnyType: [
        f"{REFUSED}[{name}]" for name in ("exp-text", "exp-huge", "nbf-text", "nbf-true")
    ],
    IgnoresBindings: [
        f"{REFUSED}[{name}]" for name in ("bound-to-dpop-key", "bound-to-certificate")
    ],
    IgnoresTyp: [
        f"{REFUSED}[{name}]"
        for name in ("refresh-token", "logout-token", "dpop-proof", "security-event")
    ],
    IgnoresCrit: [f"{REFUSED}[{name}]" for name in ("crit-unknown", "crit-empty", "crit-null")],
    TrustsJwk: [f"{REFUSED}[embedded-jwk]"],
    TrustsJku: [f"{REFUSED}[embedded-jku]"],
    TrustsX5c: [f"{REFUSED}[embedded-x5c]"],
    TrustsX5u: [f"{REFUSED}[embedded-x5u]"],
    LenientBase64: [f"{REFUSED}[padding-in-payload]"],
    LastDuplicateCounts: [
        f"{REFUSED}[{name}]"
        for name in ("duplicate-claim", "duplicate-header-member", "payload-utf-16")
    ],
    FirstOfTwoCredentials: [
        f"{REFUSED}[{name}]" for name in ("two-credentials", "list-of-tokens", "good-and-bad-token")
    ],
    AnyScheme: [
        f"{REFUSED}[{name}]"
        for name in (
            "other-scheme",
            "scheme-token",
            "no-scheme",
            "dpop-without-proof",
            "two-schemes",
        )
    ],
    SplitsAtAnyBlank: [
        f"{REFUSED}[{name}]"
        for name in ("tab-after-scheme", "nbsp-after-scheme", "nbsp-after-token")
    ],
    TokenInQuery: [f"{REFUSED}[token-in-query]"],
    TokenInForm: [f"{REFUSED}[token-in-form]"],
    TokenInJson: [f"{REFUSED}[token-in-json-body]"],
    TrustsRemoteUser: [f"{REFUSED}[identity-headers]"],
    OptionalToken: [f"{REFUSED}[missing]"],
    NoChallenge: [f"{CHALLENGED}[missing]", f"{CHALLENGED}[expired]"],
    CrashesOnGarbage: [f"{REFUSED}[header-not-json]"],
    CrashesOnNesting: [f"{REFUSED}[header-deeply-nested]"],
    CrashesWhileAnswering: [f"{REFUSED}[missing]", f"{REFUSED}[expired]"],
    AnswersUnprocessable: [f"{REFUSED}[missing]", f"{REFUSED}[alg-none]"],
    AnswersOk: [f"{REFUSED}[missing]", f"{REFUSED}[expired]"],
    RedirectsToLogin: [f"{REFUSED}[missing]", f"{REFUSED}[expired]"],
    ReflectsToken: [f"{LEAKS}[expired]", f"{LEAKS}[garbage]"],
    ReflectsTokenInHeader: [f"{LEAKS}[expired]"],
    ReflectsClaims: [f"{LEAKS}[expired]"],
    ShowsTraceback: [f"{LEAKS}[missing]", f"{LEAKS}[expired]"],
    ShowsKey: [f"{LEAKS}[missing]"],
    RefusesAll: ["good_token_gets_in"],
}
