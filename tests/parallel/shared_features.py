"""Features of a frozen base, computed by all processes: python shared_features.py FOLDER; each rank writes its copy."""

import sys
from pathlib import Path

import numpy as np

from minitorch_cnn import Sequential, features, layers, parallel
from minitorch_cnn.arrays.dispatch import definitions_everywhere

COUNTS = (1, 2, 4, 9, 23)  # images, in batches of four: fewer batches than ranks, fewer images than ranks, uneven


class Photos:
    """Images that are loaded on demand; records which ones were loaded."""

    def __init__(self, count):
        rng = np.random.default_rng(count)
        self.images, self.loaded = rng.integers(0, 256, (count, 9, 7, 2), dtype=np.uint8), []

    def __len__(self):
        return len(self.images)

    def __getitem__(self, rows):
        self.loaded += np.arange(len(self))[rows].tolist()
        return self.images[rows]


def frozen_model():
    model = Sequential(
        [
            layers.Conv2D(4, (3, 2), activation="relu"),
            layers.MaxPool2D(2),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ],
        input_shape=(9, 7, 2),
        seed=3,
    )
    return model.freeze(through="conv2d_1")


def main(folder):
    ranks, kept = parallel.world(), {}
    with definitions_everywhere():
        for count in COUNTS:
            photos = Photos(count)
            kept[str(count)] = features.base_features(frozen_model(), photos, 4, progress=False, ranks=ranks)
            kept[f"loaded {count}"] = np.array(photos.loaded)
            array = features.base_features(frozen_model(), photos.images, 4, progress=False, ranks=ranks)
            assert np.array_equal(array, kept[str(count)])
        features.IN_MEMORY = 0
        on_disk = features.base_features(frozen_model(), Photos(23), 4, progress=False, ranks=ranks)
        assert isinstance(on_disk, np.memmap)
        kept["on disk"] = on_disk
    np.savez(Path(folder) / f"{ranks.rank}.npz", **kept)


if __name__ == "__main__":
    main(sys.argv[1])
