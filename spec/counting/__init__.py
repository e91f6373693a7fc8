"""Rows to counts: lengths, classes, duplicates, a sample. Memory holds numbers, never all rows."""
