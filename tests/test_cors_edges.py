"""`CORS`: the edges of what origins and names may be, and the headers of every answer."""

import string

import pytest

from jwt_middleware import CORS, ConfigurationError
from tests.conftest import answering, client, signed

APP = "https://app.example.com"
PREFLIGHT = {"Origin": APP, "Access-Control-Request-Method": "DELETE"}
CHARACTERS = [chr(code) for code in range(256)]
LETTERS_AND_DIGITS = string.ascii_letters + string.digits


def is_accepted(*origins, **options):
    """Tell whether a CORS can be made."""
    try:
        CORS(list(origins) or [APP], **options)
    except ConfigurationError:
        return False
    return True


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        pytest.param("{}ttps://a", string.ascii_letters, id="start of the scheme"),
        pytest.param("h{}://a", LETTERS_AND_DIGITS + "+.-", id="scheme"),
        pytest.param("https://a{}b", LETTERS_AND_DIGITS + "_.-", id="host"),
        pytest.param("https://[{}1]", string.hexdigits + ":.", id="IPv6 address"),
        pytest.param("https://a:{}", string.digits, id="port"),
    ],
)
def test_origin_has_only_characters_of_its_parts(origin, allowed):
    """RFC 6454 §7: an origin is a scheme, a host and a port."""
    assert {c for c in CHARACTERS if is_accepted(origin.format(c))} == set(allowed)


@pytest.mark.parametrize("argument", ["methods", "headers"])
def test_name_has_only_characters_of_a_token(argument):
    """RFC 9110 §5.6.2: methods and header names are tokens; ``*`` would stand for all of them."""
    allowed = LETTERS_AND_DIGITS + "!#$%&'+-.^_`|~"

    assert {c for c in CHARACTERS if is_accepted(**{argument: [f"X{c}"]})} == set(allowed)


@pytest.mark.parametrize("argument", ["methods", "headers"])
@pytest.mark.parametrize("value", [5, None, [5], [None]], ids=repr)
def test_names_of_another_type_are_refused(argument, value):
    """A value of another type is one problem, reported like all others."""
    with pytest.raises(ConfigurationError) as caught:
        CORS([APP], **{argument: value})

    assert len(caught.value.problems) == 1


def test_null_is_refused_in_any_case():
    """The message explains why the origin null must not be listed."""
    with pytest.raises(ConfigurationError, match="sandboxed"):
        CORS(["Null"])


def test_defaults_suit_an_api_with_bearer_tokens(verifier):
    """Without options a page may use the usual methods, and send a token and JSON."""
    response = client(verifier, cors=CORS([APP])).options("/", headers=PREFLIGHT, status=204)

    assert response.headers["Access-Control-Allow-Methods"] == "GET, HEAD, POST, PUT, PATCH, DELETE"
    assert response.headers["Access-Control-Allow-Headers"] == "Authorization, Content-Type, DPoP"
    assert response.headers["Access-Control-Max-Age"] == "600"


def test_any_origin_can_read_a_challenge(verifier):
    """With ``*`` a page sees why it was refused, too."""
    response = client(verifier, cors=CORS(["*"])).get("/", headers={"Origin": APP}, status=401)

    exposed = response.headers["Access-Control-Expose-Headers"]
    assert exposed == "WWW-Authenticate, Retry-After, DPoP-Nonce"


@pytest.mark.parametrize("listed", ["http://a.example.com", "http://a.example.com:80"])
@pytest.mark.parametrize("sent", ["http://a.example.com", "http://a.example.com:80"])
def test_default_port_of_http_does_not_count(verifier, listed, sent):
    """RFC 6454 §4: port 80 and no port are the same origin."""
    headers = PREFLIGHT | {"Origin": sent}

    client(verifier, cors=CORS([listed])).options("/", headers=headers, status=204)


@pytest.mark.parametrize("name", ["Access-Control-Allow-Origin", "ACCESS-CONTROL-ALLOW-ORIGIN"])
def test_application_that_names_an_origin_is_left_alone(verifier, name):
    """The application's header counts in any case of its name, and none is added."""
    app = client(verifier, answering([b""], (name, "https://other.example.com")), cors=CORS([APP]))

    response = app.get("/", headers={"Origin": APP} | signed())

    assert response.headers.getall(name) == ["https://other.example.com"]
    assert "Vary" not in response.headers


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param(("Vary", "ORIGIN"), ["ORIGIN"], id="Vary has it in capitals"),
        pytest.param(("VARY", "Accept, origin"), ["Accept, origin"], id="VARY"),
        pytest.param(("X-Sort-By", "origin"), ["Origin"], id="another header has the word"),
    ],
)
def test_vary_names_the_origin_once(verifier, header, expected):
    """`Vary: Origin` is added if the application's `Vary` does not have it."""
    app = client(verifier, answering([b""], header), cors=CORS([APP]))

    response = app.get("/", headers={"Origin": APP} | signed())

    assert response.headers.getall("Vary") == expected
