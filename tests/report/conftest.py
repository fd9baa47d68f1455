"""A run of the CIFAR-10 ConvNet with made-up results, and a parser that takes a page apart."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from minitorch_cnn.report import LayerRow, Run, Sample

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
LAYERS = [
    LayerRow("conv2d_1", "Conv2D", (32, 32, 32), 896, detail="3x3, same, relu"),
    LayerRow("conv2d_2", "Conv2D", (32, 32, 32), 9248, detail="3x3, same, relu"),
    LayerRow("max_pool2d_1", "MaxPool2D", (16, 16, 32), detail="2x2"),
    LayerRow("dropout_1", "Dropout", (16, 16, 32), detail="0.25"),
    LayerRow("conv2d_3", "Conv2D", (16, 16, 64), 18496, detail="3x3, same, relu"),
    LayerRow("conv2d_4", "Conv2D", (14, 14, 64), 36928, detail="3x3, valid, relu"),
    LayerRow("max_pool2d_2", "MaxPool2D", (7, 7, 64), detail="2x2"),
    LayerRow("flatten", "Flatten", (3136,)),
    LayerRow("dense_1", "Dense", (512,), 1606144, detail="relu"),
    LayerRow("dense_2", "Dense", (10,), 5130, detail="softmax"),
]
VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """The tags of a page in order, and its text; a tag closed in the wrong place is an error."""

    def __init__(self, html):
        super().__init__()
        self.html, self.tags, self.words, self.open = html, [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    def drawings(self):
        """Returns every `<svg>` as an XML tree."""
        return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", self.html, re.DOTALL)]


@pytest.fixture(scope="module", autouse=True)
def one_blas_thread():
    """The products of plain definitions are so small that two threads mostly wait for each other."""
    with threadpool_limits(1, "blas"):
        yield


@pytest.fixture
def read_page():
    return Page


@pytest.fixture
def make_run():
    def make(**changes):
        random = np.random.default_rng(0)
        confusion = random.integers(0, 40, (10, 10)) + 600 * np.eye(10, dtype=int)
        samples = [
            Sample(
                random.integers(0, 256, (32, 32, 3), dtype=np.uint8), NAMES[i % 10], NAMES[j % 10], 0.5 + i / 60, i == j
            )
            for i, j in [(i, i + i % 2) for i in range(24)]
        ]
        values = {
            "title": "CIFAR-10 ConvNet",
            "subtitle": "Four convolutions, two dense layers",
            "commands": [
                ("the same run", "minitorch-cnn train cifar10 --seed 0"),
                ("name an image", "minitorch-cnn predict runs/cifar10 IMAGE"),
            ],
            "facts": [("test accuracy", "78.12%"), ("epochs", 20), ("seed", 0)],
            "layers": LAYERS,
            "input_shape": (32, 32, 3),
            "history": {
                "loss": [2.0 / (i + 1) + 0.1234 for i in range(20)],
                "accuracy": [1 - 0.7 / (i + 1) for i in range(20)],
                "val_loss": [2.0 / (i + 1) + 0.02 * i + 0.3 for i in range(20)],
                "val_accuracy": [0.8 - 0.5 / (i + 1) for i in range(20)],
                "learning_rate": [0.01 * 0.9**i for i in range(20)],
                "seconds": [30.0 + i % 3 for i in range(20)],
            },
            "class_names": NAMES,
            "confusion": confusion,
            "samples": samples,
            "filters": random.normal(size=(3, 3, 3, 32)).astype(np.float32),
            "notes": ["Trained with dropout."],
        }
        return Run(**(values | changes))

    return make
