"""What runs: the faster twins of the definitions in `engine/`, and of a few in `datasets/`.

    numba/      compiled for the CPU; each file is named like the file of its definition
    cuda/       kernels for NVIDIA GPUs, on CuPy, likewise
    stages/     neighbouring layers that run as one
    fingerprints.json    what every twin was made for; `minitorch-cnn twins --record` writes it

A twin has the name and the arguments of its definition, may take more, and gives the same result up to rounding.
"""
