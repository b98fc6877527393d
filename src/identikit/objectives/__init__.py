"""Objectives: what training minimises, one file each; none knows another."""
