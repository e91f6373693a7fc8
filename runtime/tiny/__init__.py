"""`builtin:tiny`: a small language model that is made on the spot, so that everything runs for real with no network."""

NAME = "builtin:tiny"
