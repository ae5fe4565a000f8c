"""The validation document, runnable: `python -m tests.validation TARGET`, or `make TARGET`."""
