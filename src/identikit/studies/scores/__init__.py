"""Which scores to trust: constructions of which the truth is known, and what each score says."""
