"""Spec and verdict to plan (a value), and plan to files for an engine. No torch."""
