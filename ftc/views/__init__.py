"""What a person reads, and what a script reads. Views render values; they decide nothing."""
