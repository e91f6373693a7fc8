"""One widget a file; none of them knows what it shows means."""
