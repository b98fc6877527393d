"""Encoders: x -> h."""
