"""Measurements beside other programs, for the documents: `python -m tools.benchmarks --help`."""
