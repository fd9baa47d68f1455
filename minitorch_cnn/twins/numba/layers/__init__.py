"""Compiled twins of the definitions in `engine/layers/`."""
