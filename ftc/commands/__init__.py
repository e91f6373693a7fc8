"""One verb, one module: read the arguments, call `ftc.api`, hand the result to a view."""
