"""GPU twins of the definitions in `engine/layers/`."""
