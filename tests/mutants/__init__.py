"""Mutation tests: change one thing in the package, and see whether a test notices."""
