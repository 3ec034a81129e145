"""The applications for the servers of the benchmark `http`. The key is in the environment."""

import os
from wsgiref.types import WSGIApplication

from cryptography.hazmat.primitives.serialization import load_pem_public_key

from benchmarks.applications import bare as bare
from benchmarks.applications import naive
from benchmarks.credentials import AUDIENCE, ISSUER, verification_key
from jwt_middleware import JWTMiddleware, Verifier

_PEM = os.environ["BENCHMARKS_PUBLIC_KEY"].encode()

protected: WSGIApplication = JWTMiddleware(
    bare, Verifier(verification_key(_PEM, "RS256"), issuer=ISSUER, audience=AUDIENCE)
)
around_decode: WSGIApplication = naive(bare, load_pem_public_key(_PEM), "RS256")
