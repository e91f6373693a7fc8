"""Prompts: how they are written, which examples they show, who is asked, and the pack that is kept of the best."""
