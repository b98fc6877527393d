"""Objectives: cross-entropy over classes or instances, and its heads."""
