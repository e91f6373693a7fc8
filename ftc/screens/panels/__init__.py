"""What each panel of the planner lists: advice in, items out. Pure functions; no widget, no state.

Every module has `cells(...)`, the plain text of each item by id, from which what moved is seen, and `items(...)`, the
same as styled lines for a width.
"""
