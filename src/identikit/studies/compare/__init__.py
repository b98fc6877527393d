"""`identikit compare`: two models, no annotations."""
