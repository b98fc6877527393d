"""The genealogy: seven objectives on five worlds, each beside what its own theory promises."""
