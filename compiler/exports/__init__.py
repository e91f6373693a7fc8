"""A plan as the configuration of another tool, with a list of what it cannot say there."""
