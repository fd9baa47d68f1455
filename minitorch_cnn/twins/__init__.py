"""The code that runs: faster twins of the definitions in `engine/`, and of a few in `datasets/`.

    numba/      compiled for the CPU; each file is named like the file of its definition
    cuda/       kernels for NVIDIA GPUs, called through CuPy, with the same file names
    stages/     neighbouring layers that run as one
    fingerprints.json    the definitions that the twins were made for; `minitorch-cnn twins --record` writes it

A twin has the name and the arguments of its definition, sometimes more, and gives the same result up to rounding.
"""
