"""Simulated worlds end to end (arXiv:2410.21869, section 4.1)."""
