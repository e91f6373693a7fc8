"""Another tool's configuration as a spec."""
