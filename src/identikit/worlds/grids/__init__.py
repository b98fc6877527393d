"""Images on a full grid of factors: sets on disk and renderers alike.

A set has one image for every combination of its factors' levels, so a row number says all:
row = unravelled index of the levels, last factor fastest.
"""
