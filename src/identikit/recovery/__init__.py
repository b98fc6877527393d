"""Recovery: how much of the factors is linearly in a representation, and how sure that is."""
