"""Samples to features: any layers of any model over images or other data, sharded on disk."""
