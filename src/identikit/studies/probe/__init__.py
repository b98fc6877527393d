"""`identikit probe`: what is linearly in anybody's features, and how sure that is."""
