"""Superposition: more sparse factors than dimensions, read by probes, ICA and sparse codes."""
