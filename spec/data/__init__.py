"""Files to records: containers, compression, lines. Knows what a file holds, not what a row means."""
