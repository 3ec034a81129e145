"""Adapters for frameworks. Import the module of yours: each needs its framework."""
