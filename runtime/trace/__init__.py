"""One real training step without a GPU: `ftc estimate --exact`.

A child process (`python -m ftc.runtime.trace`) builds the real transformers class with its adapters on fake tensors,
runs the step, and writes down every allocation that CUDA would make. `client.exact` starts it and imports no torch.
It knows shapes, dtypes and lifetimes; it knows nothing of speed, weights or data.
"""
