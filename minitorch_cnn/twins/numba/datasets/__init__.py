"""Compiled twins of the definitions in `datasets/`."""
