"""How sure a number is: resamples, permutations, corrections, splits, measures."""
