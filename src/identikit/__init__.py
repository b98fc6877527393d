"""What a network trained with cross-entropy must recover, did recover, and why they differ."""
