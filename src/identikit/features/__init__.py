"""Features and factors from what users have: arrays, frames and files."""
