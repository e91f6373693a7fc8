"""Rewards that a program computes, in a child process with limits on time, memory, files and the network.

`rewarder.py` stays with the trainer and talks to `worker.py`, the child. `limits.py` is what the child may not do,
`kinds.py` how answers are judged, `unit_tests.py` how code is run. What goes wrong has a code of R221 to R225.
"""
