"""Worlds whose observations are drawn: images from exact factors, on any device, no download."""
