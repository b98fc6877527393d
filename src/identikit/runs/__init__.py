"""Runs on disk, the jobs that make them and the one list of studies."""
