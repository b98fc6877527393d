"""Training: one fit loop, its schedule, its optimisers and its checkpoints."""
