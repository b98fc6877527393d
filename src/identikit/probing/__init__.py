"""The one engine: linear probes of factors in a representation, with their uncertainty."""
