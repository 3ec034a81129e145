"""docs/identity-providers.md: each recipe, with tokens and keys as the provider documents them.

The recipes import their names in the page's first example. The tests run it, and then replace
`RemoteJWKSet` and `fetch_document` by versions that read from a table of documents. So the recipes
run unchanged, and one that asks for another URL fails.
"""

import json
import re
import time
from pathlib import Path

import pytest
from joserfc import jws
from joserfc.jwk import OctKey, RSAKey

from jwt_middleware import RemoteJWKSet
from tests.conftest import Site, bearer, client, refused

PAGE = Path(__file__).parents[1] / "docs" / "identity-providers.md"
HEADING = re.compile(r"^##+ (.+)$", re.MULTILINE)
EXAMPLE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
INTRODUCTION, *SECTIONS = HEADING.split(PAGE.read_text())
RECIPES = {
    title: EXAMPLE.search(text)[1]
    for title, text in zip(SECTIONS[::2], SECTIONS[1::2], strict=True)
}

PUBLISHED, ANOTHER = RSAKey.generate_key(2048), RSAKey.generate_key(2048)
CLIENT_SECRET = OctKey.import_key(
    "a client's secret, which providers sign with as well: more than sixty-four bytes"
)
ANY_HEADER = jws.JWSRegistry(algorithms=["RS256", "HS256", "HS512"], strict_check_header=False)
CERTIFICATE = "MIIDBTCCAe2gAwIBAgIQ"  # It is not read.


def jwk(kid, key=PUBLISHED, **members):
    """Return a published key without the members that are None."""
    public = key.as_dict(private=False) | {"use": "sig", "alg": "RS256", "kid": kid} | members
    return {name: value for name, value in public.items() if value is not None}


def metadata(issuer, keys_url, *keys):
    """Return what an issuer publishes: OpenID Connect Discovery and its keys, by URL."""
    location = f"{issuer.removesuffix('/')}/.well-known/openid-configuration"
    return {location: {"issuer": issuer, "jwks_uri": keys_url}, keys_url: {"keys": list(keys)}}


class Provider:
    """One provider: what it publishes, and the header and claims of its access tokens."""

    def __init__(self, documents, header, claims, scopes=()):
        self.documents = documents
        self.header = {"alg": "RS256", **header}
        self.claims = claims
        self.scopes = set(scopes)

    def token(self, header=None, claims=None, key=PUBLISHED):
        """Return an access token with changed header and claims. None removes one."""
        now = int(time.time())
        times = {"iat": now, "exp": now + 3600}
        header, claims = (
            {
                name: value
                for name, value in {**usual, **(changes or {})}.items()
                if value is not None
            }
            for usual, changes in [(self.header, header), (self.claims | times, claims)]
        )
        signer = CLIENT_SECRET if header["alg"].startswith("HS") else key
        return jws.serialize_compact(header, json.dumps(claims), signer, registry=ANY_HEADER)


API = "https://api.example.com"

PLAIN = Provider(
    metadata("https://id.example.com", "https://id.example.com/jwks", jwk("1")),
    {"typ": "at+jwt", "kid": "1"},
    {
        "iss": "https://id.example.com",
        "sub": "5ba552d67",
        "aud": API,
        "client_id": "s6BhdRkqt3",
        "jti": "dbe39bf3a3ba4238a513f51d6e1691c4",
        "scope": "orders:read orders:write",
    },
    ["orders:read", "orders:write"],
)


def keycloak(realm):
    """Return a realm; it also publishes a key for encryption."""
    issuer = f"https://keycloak.example.com/realms/{realm}"
    certificate = {"x5c": [CERTIFICATE], "x5t": "2HQ8", "x5t#S256": "ZgF5"}
    return Provider(
        metadata(
            issuer,
            f"{issuer}/protocol/openid-connect/certs",
            jwk("enc", ANOTHER, use="enc", alg="RSA-OAEP", **certificate),
            jwk("FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE", **certificate),
        ),
        {"typ": "JWT", "kid": "FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE"},
        {
            "jti": "onrtac:af3dd8d5-7d4a-4f3c-8b9a-6d2f2f4b5b53",
            "iss": issuer,
            "aud": ["orders-api", "account"],
            "sub": "f1c4f64e-2c0c-4cda-8c9f-9f3f8f3a2b0e",
            "typ": "Bearer",
            "azp": "web",
            "sid": "4c0a3a8a-3a47-4f2f-8e89-9e5f9b0a0a0a",
            "acr": "1",
            "allowed-origins": ["https://web.example.com"],
            "realm_access": {"roles": ["offline_access", "admin"]},
            "resource_access": {
                "orders-api": {"roles": ["clerk"]},
                "account": {"roles": ["view-profile"]},
            },
            "scope": "openid profile orders:write",
            "email_verified": True,
            "preferred_username": "alice",
        },
        ["openid", "profile", "orders:write"],
    )


AUTH0 = Provider(
    metadata(
        "https://example.eu.auth0.com/",
        "https://example.eu.auth0.com/.well-known/jwks.json",
        jwk("NjVBRjY5MDlCMUIwNzU4RTA2QzZFMDQ4QzQ2", x5t="NjVBRjY5MDlC", x5c=[CERTIFICATE]),
        jwk("next", ANOTHER, x5t="bmV4dA", x5c=[CERTIFICATE]),
    ),
    {"typ": "JWT", "kid": "NjVBRjY5MDlCMUIwNzU4RTA2QzZFMDQ4QzQ2"},
    {
        "iss": "https://example.eu.auth0.com/",
        "sub": "auth0|6553da60a54af58e29493993",
        "aud": [API, "https://example.eu.auth0.com/userinfo"],
        "azp": "K1AUPhZq8mRi0Q0pjhkfu1D7y6KjDQja",
        "scope": "openid profile orders:write",
        "permissions": ["admin:all"],
    },
    ["openid", "profile", "orders:write"],
)

OKTA = Provider(
    metadata(
        "https://example.okta.com/oauth2/default",
        "https://example.okta.com/oauth2/default/v1/keys",
        jwk("ZkvelLN_seik7w4pc_prCcfUf-h2hFfiwkDeCrs0iUc"),
    ),
    {"kid": "ZkvelLN_seik7w4pc_prCcfUf-h2hFfiwkDeCrs0iUc"},
    {
        "ver": 1,
        "jti": "AT.MNAoEQ_jbKqoinrQo1D0XKjMX28U5d7ZszBceot7-Ts",
        "iss": "https://example.okta.com/oauth2/default",
        "aud": "api://default",
        "cid": "0oabucvyc38HLL1ef0h7",
        "uid": "00ucpwmq3HyVBhR8D0h7",
        "scp": ["openid", "orders.write"],
        "auth_time": 1688145909,
        "sub": "alice@example.com",
    },
    ["openid", "orders.write"],
)

DIRECTORY, CUSTOMER = "aaaabbbb-0000-cccc-1111-dddd2222eeee", "bbbbcccc-1111-dddd-2222-eeee3333ffff"
PERSONAL = "9188040d-6c67-4c5b-b112-36a304b66dad"
ENTRA_API = "00001111-aaaa-2222-bbbb-3333cccc4444"
ENTRA_KEY = "jS1Xo1OWDj_52vbwGNgvQO2VzMc"
ANY_TENANT = "https://login.microsoftonline.com/{tenantid}/v2.0"


def entra_key(kid, issuer, key=PUBLISHED):
    """Return a key as Entra publishes it: no alg, and an issuer."""
    return jwk(kid, key, alg=None, x5t=kid, x5c=[CERTIFICATE], issuer=issuer)


def entra(tenant, documents=None):
    """Return a tenant, with a user's access token of version 2."""
    issuer = f"https://login.microsoftonline.com/{tenant}/v2.0"
    keys_url = f"https://login.microsoftonline.com/{tenant}/discovery/v2.0/keys"
    return Provider(
        documents or metadata(issuer, keys_url, entra_key(ENTRA_KEY, issuer)),
        {"typ": "JWT", "kid": ENTRA_KEY},
        {
            "aud": ENTRA_API,
            "iss": issuer,
            "nbf": 1537231048,
            "aio": "AXQAi/8IAAAAtAaZLo3ChMif6KOnttRB7eBq4",
            "azp": "6e74172b-be56-4843-9ff4-e66a39bb12e3",
            "azpacr": "0",
            "name": "Abe Lincoln",
            "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474",
            "preferred_username": "abeli@example.com",
            "rh": "I",
            "scp": "Orders.Write access_as_user",
            "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
            "tid": tenant,
            "uti": "fqiBqXLPj0eQa82S-IYFAA",
            "ver": "2.0",
        },
        ["Orders.Write", "access_as_user"],
    )


ENTRA_V1 = Provider(
    metadata(
        f"https://sts.windows.net/{DIRECTORY}/",
        "https://login.microsoftonline.com/common/discovery/keys",
        entra_key(ENTRA_KEY, f"https://sts.windows.net/{DIRECTORY}/"),
    ),
    {"typ": "JWT", "kid": ENTRA_KEY, "x5t": ENTRA_KEY},
    {
        "aud": f"api://{ENTRA_API}",
        "iss": f"https://sts.windows.net/{DIRECTORY}/",
        "acr": "1",
        "amr": ["wia"],
        "appid": "75dbe77f-10a3-4e59-85fd-8c127544f17c",
        "appidacr": "0",
        "scp": "user_impersonation",
        "sub": "l3_roISQU222bULS9yi2k0XpqpOiMz5H3ZACo1GeXA",
        "tid": DIRECTORY,
        "unique_name": "abeli@example.com",
        "ver": "1.0",
    },
    ["user_impersonation"],
)

ORGANIZATIONS = entra(
    "a-tenant-that-nobody-has-heard-of",
    {
        "https://login.microsoftonline.com/organizations/discovery/v2.0/keys": {
            "keys": [
                entra_key(ENTRA_KEY, ANY_TENANT),
                entra_key("personal", ANY_TENANT.replace("{tenantid}", PERSONAL), ANOTHER),
            ]
        }
    },
)


def cognito(pool):
    """Return a user pool, which has one key for ID tokens and another for access tokens."""
    issuer = f"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_{pool}"
    return Provider(
        metadata(
            issuer,
            f"{issuer}/.well-known/jwks.json",
            jwk("id=", ANOTHER),
            jwk("abcdefghijklmnopqrsexample="),
        ),
        {"kid": "abcdefghijklmnopqrsexample="},
        {
            "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
            "device_key": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
            "cognito:groups": ["testgroup"],
            "iss": issuer,
            "version": 2,
            "client_id": "1example23456789",
            "origin_jti": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
            "event_id": "64f513be-32db-42b0-b78e-b02127b4f463",
            "token_use": "access",
            "scope": "openid orders-api/write",
            "auth_time": 1676312777,
            "jti": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
            "username": "my-test-user",
        },
        ["openid", "orders-api/write"],
    )


GOOGLE = Provider(
    metadata(
        "https://accounts.google.com",
        "https://www.googleapis.com/oauth2/v3/certs",
        jwk("08d3245c62f86b6362afcbbffe1d069826dd1dc1"),
        jwk("next", ANOTHER),
    ),
    {"kid": "08d3245c62f86b6362afcbbffe1d069826dd1dc1", "typ": "JWT"},
    {
        "iss": "https://accounts.google.com",
        "azp": "1234567890-example.apps.googleusercontent.com",
        "aud": "1234567890-example.apps.googleusercontent.com",
        "sub": "110169484474386276334",
        "hd": "example.com",
        "email": "alice@example.com",
        "email_verified": True,
        "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
        "nonce": "0394852-3190485-2490358",
    },
)

KEYCLOAK, COGNITO, ENTRA = keycloak("shop"), cognito("AbCdEfGhI"), entra(DIRECTORY)
ENTRA_KNOWN = "Microsoft Entra ID: customers that you know"
ENTRA_ANY = "Microsoft Entra ID: any tenant"
ENTRA_1 = "Microsoft Entra ID: tokens of version 1"

ID_TOKEN_OF_KEYCLOAK = {
    "typ": "ID",
    "aud": "web",
    "scope": None,
    "realm_access": None,
    "resource_access": None,
}
ID_TOKEN_OF_AUTH0 = {
    "aud": "K1AUPhZq8mRi0Q0pjhkfu1D7y6KjDQja",
    "azp": None,
    "scope": None,
    "permissions": None,
}
ID_TOKEN_OF_OKTA = {
    "aud": "0oabucvyc38HLL1ef0h7",
    "cid": None,
    "uid": None,
    "scp": None,
    "amr": ["pwd"],
}
ID_TOKEN_OF_ENTRA = {"azp": None, "azpacr": None, "scp": None, "nonce": "12345"}
ID_TOKEN_OF_COGNITO = {
    "aud": "1example23456789",
    "client_id": None,
    "scope": None,
    "token_use": "id",
}


def run(title, internet):
    """Run the recipe under a heading, after the one that it builds on, and return its names."""

    class OfflineJWKSet(RemoteJWKSet):
        def __init__(self, url, **options):
            super().__init__(url, **{"fetch": internet} | options)

    names = {}
    exec(EXAMPLE.search(INTRODUCTION)[1], names)
    names |= {"RemoteJWKSet": OfflineJWKSet, "fetch_document": internet}
    for heading in dict.fromkeys([title.partition(":")[0], title]):
        exec(compile(RECIPES[heading], heading, "exec"), names)
    return names


def verifier_of(title, provider):
    """Return the verifier that a recipe makes, where only this provider can be reached."""
    return run(title, Site(provider.documents))["verifier"]


GOOD = [
    pytest.param("Any provider", PLAIN, {}, id="any"),
    pytest.param("Keycloak", KEYCLOAK, {}, id="keycloak"),
    pytest.param("Auth0", AUTH0, {}, id="auth0"),
    pytest.param(
        "Auth0",
        AUTH0,
        {"sub": "K1AU@clients", "gty": "client-credentials", "aud": API},
        id="auth0, machine",
    ),
    pytest.param("Okta", OKTA, {}, id="okta"),
    pytest.param("Microsoft Entra ID", ENTRA, {}, id="entra"),
    pytest.param(ENTRA_1, ENTRA_V1, {}, id="entra, version 1"),
    pytest.param(ENTRA_1, ENTRA_V1, {"aud": ENTRA_API}, id="entra, version 1 for the client id"),
    pytest.param(ENTRA_KNOWN, ENTRA, {}, id="entra, first customer"),
    pytest.param(ENTRA_KNOWN, entra(CUSTOMER), {}, id="entra, second customer"),
    pytest.param(ENTRA_ANY, ORGANIZATIONS, {}, id="entra, any tenant"),
    pytest.param("Amazon Cognito", COGNITO, {}, id="cognito"),
    pytest.param("Google", GOOGLE, {}, id="google"),
    pytest.param("Google", GOOGLE, {"iss": "accounts.google.com"}, id="google, the other issuer"),
    pytest.param("Several at once", keycloak("staff"), {}, id="several, keycloak"),
    pytest.param("Several at once", AUTH0, {}, id="several, auth0"),
]


@pytest.mark.parametrize(("title", "provider", "claims"), GOOD)
def test_recipe_accepts_the_provider_s_tokens(title, provider, claims):
    """A token of the documented shape passes the whole middleware; its claims and scopes arrive."""
    verifier, token = verifier_of(title, provider), provider.token(claims=claims)

    assert (
        client(verifier).get("/", headers=bearer(token)).json.items()
        >= (provider.claims | claims).items()
    )
    assert verifier.verify(token).scopes == provider.scopes


BAD = [
    pytest.param(
        "Any provider", PLAIN, {"typ": "JWT"}, {"aud": API}, "type_not_allowed", id="any, ID token"
    ),
    pytest.param(
        "Any provider",
        PLAIN,
        {},
        {"aud": "https://b.example.com"},
        "audience_mismatch",
        id="any, another API",
    ),
    pytest.param(
        "Any provider",
        PLAIN,
        {},
        {"iss": "https://id.example.com/"},
        "issuer_not_trusted",
        id="any, a slash more",
    ),
    pytest.param(
        "Keycloak", KEYCLOAK, {}, ID_TOKEN_OF_KEYCLOAK, "audience_mismatch", id="keycloak, ID token"
    ),
    pytest.param(
        "Keycloak",
        KEYCLOAK,
        {},
        {"typ": "ID", "aud": "orders-api"},
        "claim_invalid",
        id="keycloak, ID token of the API's client",
    ),
    pytest.param(
        "Keycloak",
        KEYCLOAK,
        {"alg": "HS512"},
        {"typ": "Refresh"},
        "algorithm_not_allowed",
        id="keycloak, refresh token",
    ),
    pytest.param(
        "Keycloak",
        KEYCLOAK,
        {},
        {"aud": "account"},
        "audience_mismatch",
        id="keycloak, no audience mapper",
    ),
    pytest.param(
        "Keycloak",
        KEYCLOAK,
        {},
        {"iss": "https://keycloak.example.com/realms/master"},
        "issuer_not_trusted",
        id="keycloak, another realm",
    ),
    pytest.param("Auth0", AUTH0, {}, ID_TOKEN_OF_AUTH0, "audience_mismatch", id="auth0, ID token"),
    pytest.param(
        "Auth0",
        AUTH0,
        {"alg": "HS256"},
        {},
        "algorithm_not_allowed",
        id="auth0, API signs with HS256",
    ),
    pytest.param(
        "Auth0",
        AUTH0,
        {},
        {"iss": "https://example.eu.auth0.com"},
        "issuer_not_trusted",
        id="auth0, no slash",
    ),
    pytest.param(
        "Auth0",
        AUTH0,
        {},
        {"iss": "https://evil.eu.auth0.com/"},
        "issuer_not_trusted",
        id="auth0, another tenant",
    ),
    pytest.param("Okta", OKTA, {}, ID_TOKEN_OF_OKTA, "audience_mismatch", id="okta, ID token"),
    pytest.param(
        "Okta",
        OKTA,
        {},
        ID_TOKEN_OF_OKTA | {"aud": "api://default"},
        "claim_missing",
        id="okta, ID token of a client of that name",
    ),
    pytest.param(
        "Okta",
        OKTA,
        {"typ": "application/okta-internal-at+jwt"},
        {"iss": "https://example.okta.com", "aud": "https://example.okta.com"},
        "type_not_allowed",
        id="okta, organisation's token",
    ),
    pytest.param(
        "Okta",
        OKTA,
        {},
        {"iss": "https://example.okta.com"},
        "issuer_not_trusted",
        id="okta, organisation's issuer",
    ),
    pytest.param(
        "Microsoft Entra ID", ENTRA, {}, ID_TOKEN_OF_ENTRA, "claim_missing", id="entra, ID token"
    ),
    pytest.param(
        "Microsoft Entra ID",
        ENTRA,
        {},
        {"aud": "another"},
        "audience_mismatch",
        id="entra, another API",
    ),
    pytest.param(
        "Microsoft Entra ID",
        ENTRA,
        {},
        {"aud": "00000003-0000-0000-c000-000000000000"},
        "audience_mismatch",
        id="entra, Graph's token",
    ),
    pytest.param(
        "Microsoft Entra ID",
        ENTRA,
        {},
        entra(CUSTOMER).claims,
        "issuer_not_trusted",
        id="entra, another tenant",
    ),
    pytest.param(
        "Microsoft Entra ID",
        ENTRA,
        {},
        ENTRA_V1.claims,
        "issuer_not_trusted",
        id="entra, version 1 for version 2",
    ),
    pytest.param(
        ENTRA_1,
        ENTRA_V1,
        {},
        ENTRA.claims,
        "issuer_not_trusted",
        id="entra, version 2 for version 1",
    ),
    pytest.param(
        ENTRA_1,
        ENTRA_V1,
        {},
        {"appid": None, "aud": ENTRA_API},
        "claim_missing",
        id="entra, ID token of version 1",
    ),
    pytest.param(
        ENTRA_KNOWN, ENTRA, {}, ORGANIZATIONS.claims, "issuer_not_trusted", id="entra, no customer"
    ),
    pytest.param(
        ENTRA_ANY,
        ORGANIZATIONS,
        {},
        {"tid": CUSTOMER},
        "issuer_not_trusted",
        id="entra, tid of another tenant",
    ),
    pytest.param(
        ENTRA_ANY, ORGANIZATIONS, {}, {"tid": None}, "issuer_not_trusted", id="entra, no tid"
    ),
    pytest.param(
        ENTRA_ANY,
        ORGANIZATIONS,
        {},
        {"iss": f"https://evil.example.com/{CUSTOMER}/v2.0", "tid": CUSTOMER},
        "issuer_not_trusted",
        id="entra, no issuer of Microsoft's",
    ),
    pytest.param(
        "Amazon Cognito",
        COGNITO,
        {},
        ID_TOKEN_OF_COGNITO,
        "audience_mismatch",
        id="cognito, ID token",
    ),
    pytest.param(
        "Amazon Cognito",
        COGNITO,
        {},
        {"token_use": "id"},
        "claim_invalid",
        id="cognito, ID token without aud",
    ),
    pytest.param(
        "Amazon Cognito",
        COGNITO,
        {},
        {"client_id": "another"},
        "claim_invalid",
        id="cognito, another client",
    ),
    pytest.param(
        "Amazon Cognito", COGNITO, {}, {"client_id": None}, "claim_missing", id="cognito, no client"
    ),
    pytest.param(
        "Amazon Cognito",
        COGNITO,
        {},
        {"aud": API},
        "audience_mismatch",
        id="cognito, bound to a resource",
    ),
    pytest.param(
        "Amazon Cognito",
        COGNITO,
        {},
        {"iss": cognito("Other").claims["iss"]},
        "issuer_not_trusted",
        id="cognito, pool",
    ),
    pytest.param(
        "Google",
        GOOGLE,
        {},
        {"aud": "another.apps.googleusercontent.com"},
        "audience_mismatch",
        id="google, client",
    ),
    pytest.param("Google", GOOGLE, {}, {"hd": None}, "claim_missing", id="google, private account"),
    pytest.param(
        "Google", GOOGLE, {}, {"hd": "evil.example"}, "claim_invalid", id="google, another domain"
    ),
    pytest.param(
        "Google",
        GOOGLE,
        {},
        {"iss": "http://accounts.google.com"},
        "issuer_not_trusted",
        id="google, http",
    ),
    pytest.param(
        "Several at once",
        AUTH0,
        {},
        {"iss": "https://id.example.com"},
        "issuer_not_trusted",
        id="several, a third",
    ),
    pytest.param(
        "Several at once",
        AUTH0,
        {},
        {"aud": "orders-api"},
        "audience_mismatch",
        id="several, the other's audience",
    ),
]


@pytest.mark.parametrize(("title", "provider", "header", "claims", "reason"), BAD)
def test_recipe_refuses_the_provider_s_other_tokens(title, provider, header, claims, reason):
    """Tokens of the same provider for another purpose, API, client or tenant are refused."""
    assert refused(verifier_of(title, provider), provider.token(header, claims))[0] == reason


@pytest.mark.parametrize(
    ("title", "provider", "token", "reason"),
    [
        pytest.param(
            "Auth0",
            AUTH0,
            "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..aXY.dGV4dA.dGFn",
            "token_malformed",
            id="auth0, JWE",
        ),
        pytest.param(
            "Google", GOOGLE, "ya29.a0AfB_byC2dYx1", "token_malformed", id="google, access token"
        ),
        pytest.param(
            "Microsoft Entra ID",
            ENTRA,
            ENTRA.token({"nonce": "x"}, key=ANOTHER),
            "signature_invalid",
            id="entra, Graph's",
        ),
        pytest.param(
            ENTRA_ANY,
            ORGANIZATIONS,
            ORGANIZATIONS.token({"kid": "personal"}, key=ANOTHER),
            "issuer_not_trusted",
            id="entra, key",
        ),
    ],
)
def test_recipe_refuses_tokens_that_it_cannot_verify(title, provider, token, reason):
    """Opaque and encrypted tokens are refused, and those of another issuer's key."""
    assert refused(verifier_of(title, provider), token)[0] == reason


@pytest.mark.parametrize(
    ("title", "provider", "path", "missing"),
    [
        pytest.param("Any provider", PLAIN, "/orders/7", {"scope": "orders:read"}, id="any, scope"),
        pytest.param("Keycloak", KEYCLOAK, "/orders/7", {"scope": "openid"}, id="keycloak, scope"),
        pytest.param(
            "Keycloak",
            KEYCLOAK,
            "/admin/users",
            {"realm_access": {"roles": ["offline_access"]}},
            id="keycloak, role",
        ),
        pytest.param(
            "Keycloak", KEYCLOAK, "/admin/users", {"realm_access": None}, id="keycloak, no roles"
        ),
        pytest.param("Auth0", AUTH0, "/orders/7", {"scope": "openid"}, id="auth0, scope"),
        pytest.param("Auth0", AUTH0, "/admin/users", {"permissions": []}, id="auth0, permission"),
        pytest.param(
            "Auth0", AUTH0, "/admin/users", {"permissions": None}, id="auth0, no permissions"
        ),
        pytest.param("Okta", OKTA, "/orders/7", {"scp": ["openid"]}, id="okta, scope"),
        pytest.param(
            "Microsoft Entra ID",
            ENTRA,
            "/orders/7",
            {"scp": None, "roles": ["Orders.Write"]},
            id="entra, scope",
        ),
        pytest.param(
            "Amazon Cognito", COGNITO, "/orders/7", {"scope": "openid"}, id="cognito, scope"
        ),
    ],
)
def test_policy_of_a_recipe_reads_the_provider_s_permissions(title, provider, path, missing):
    """A token with the permission passes, and one without it gets 403."""
    names = run(title, Site(provider.documents))
    app = client(names["verifier"], policy=names["policy"])

    assert app.post(path, headers=bearer(provider.token()), status=200)
    assert app.post(path, headers=bearer(provider.token(claims=missing)), status=403)


def test_policy_of_entra_admits_programs_by_their_roles():
    """A program acts for itself: it has roles instead of scopes."""
    names = run("Microsoft Entra ID", Site(ENTRA.documents))
    app = client(names["verifier"], policy=names["policy"])
    program, user = (
        bearer(ENTRA.token(claims=claims)) for claims in ({"scp": None, "roles": ["Jobs.Run"]}, {})
    )

    assert app.post("/jobs/1", headers=program, status=200)
    assert app.post("/jobs/1", headers=user, status=403)


@pytest.mark.parametrize("title", RECIPES)
def test_recipe_fetches_nothing_before_it_needs_it(title):
    """A program starts whether or not its provider can be reached."""
    internet = Site({})

    run(title, internet)

    assert internet.asked == []


@pytest.mark.parametrize(("title", "provider", "claims"), GOOD)
def test_recipe_believes_only_published_keys(title, provider, claims):
    """A token of the right shape that another key has signed is refused."""
    token = provider.token(claims=claims, key=ANOTHER)

    assert refused(verifier_of(title, provider), token) == ("signature_invalid", None)


def test_each_recipe_has_a_provider_here():
    """What the page shows was tried, but for the part that is about the network alone."""
    tried = {parameters.values[0] for parameters in GOOD}

    assert tried == set(RECIPES) - {"Through a proxy, or with your own certificate authority"}


@pytest.mark.parametrize("tenant", ["common", "organizations", "contoso.onmicrosoft.com"])
def test_discovery_of_entra_needs_the_tenant_s_id(tenant):
    """Metadata that names another issuer is refused, as the page says."""
    url = f"https://login.microsoftonline.com/{tenant}/v2.0"
    named = ANY_TENANT if "." not in tenant else ANY_TENANT.replace("{tenantid}", DIRECTORY)
    internet = Site(
        {
            f"{url}/.well-known/openid-configuration": {
                "issuer": named,
                "jwks_uri": "https://x.example.com",
            }
        }
    )
    keys = RemoteJWKSet.discover(url, fetch=internet)

    assert not keys.ready()
    assert (
        keys.status().problem
        == f"ValueError: this is the metadata of {named!r}, not of {url!r}"[:200]
    )
