"""Folders of small images for the tests: each class has a colour or a pattern of its own, so it can be learned."""

import numpy as np
from PIL import Image


def write_classes(root, counts, size=12, grey=False, mode="png", seed=0):
    """Write `counts` {class name: images} as root/<class>/<number>; returns root."""
    rng = np.random.default_rng(seed)
    for number, (name, count) in enumerate(counts.items()):
        (root / name).mkdir(parents=True, exist_ok=True)
        pattern = np.random.default_rng(number).integers(0, 200, (3, 3) if grey else (3, 3, 3)).astype(np.uint8)
        large = np.kron(pattern, np.ones((size // 3, size // 3), np.uint8) if grey else
                        np.ones((size // 3, size // 3, 1), np.uint8))  # fmt: skip
        for image in range(count):
            pixels = (large + rng.integers(0, 50, large.shape)).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{image:03}.{mode}")
    return root
