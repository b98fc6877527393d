"""Worlds: where observations with known factors come from."""
