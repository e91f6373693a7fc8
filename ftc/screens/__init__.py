"""The terminal screens: plan (`ftc review`), watch (`ftc watch`), rank (`ftc annotate`).

A screen shows values and sends keys; what happens to the values stands in modules that know no screen (`session.py`,
`run_state.py`, `ballots.py`). textual is imported by the app, the screens and `widgets/` only.
"""
