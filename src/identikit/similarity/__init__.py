"""Two representations of the same samples: how alike they are, and on which part."""
