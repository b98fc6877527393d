"""Objectives: cross-entropy over classes or instances with its heads, and an oracle's loss."""
