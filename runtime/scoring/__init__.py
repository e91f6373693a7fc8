"""How a model is scored on held-out rows, one module a form of rows."""
