"""GPU twins of the definitions in `engine/convolution/`."""
