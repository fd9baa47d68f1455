"""A convolutional-network engine written out by hand on NumPy."""
