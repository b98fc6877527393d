"""The literature lens: a paper, who cites it, whom it cites, and what identikit tests of it."""
