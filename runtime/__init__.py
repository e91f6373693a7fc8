"""Plan to model, evaluation and report. The only room that imports torch, and it reads nothing but the plan."""
