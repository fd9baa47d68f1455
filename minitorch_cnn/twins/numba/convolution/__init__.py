"""Compiled twins of the definitions in `engine/convolution/`."""
