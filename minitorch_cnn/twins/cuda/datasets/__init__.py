"""GPU twins of the definitions in `datasets/`."""
