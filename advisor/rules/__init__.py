"""The advisor's rules: one rule, one small pure function, one permanent code. `registry.py` lists them all."""
