"""Adapters for frameworks. Each module is imported by itself and needs its framework."""
