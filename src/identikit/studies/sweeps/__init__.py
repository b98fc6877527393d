"""Many simulations that answer one question: rows as data, run anywhere, one page."""
