"""Theory: what must come out (Bayes loss, recovery ceiling, assumptions, sensitivity, coverage)."""
