"""A network trained with cross-entropy on the user's own images, and what it knows of factors."""
