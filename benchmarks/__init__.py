"""Benchmarks that compare the middleware with its peers.

``python -m benchmarks`` runs them. `RESULTS.md` is their output.
"""
