"""Facts to verdict: catalogues, estimates, rules, the decision tree, the search, the explanation. No torch."""
