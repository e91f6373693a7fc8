"""What the user wrote and what their data is. Knows nothing of advice, plans or training."""
