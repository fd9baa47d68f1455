"""Make the tour's pictures and store them in `docs/pictures/`.

    python docs/pictures.py                            the schemes (`schemes.py`), which need no data
    python docs/pictures.py --weights FILE             also feature maps of a photo, block by block
    python docs/pictures.py --weights FILE --run RUN   also the filters before and after, and Grad-CAM

FILE is Keras's file of VGG16 without the top, and RUN the folder of `minitorch-cnn fine-tune` on cats and dogs. The
photo, `chelsea.jpg`, is by Stefan van der Walt, with no rights reserved (CC0).
"""

import argparse
import sys
from pathlib import Path

import figures
import numpy as np
import schemes
from minitorch_cnn.metrics import class_probabilities
from PIL import Image

from minitorch_cnn import datasets, models
from minitorch_cnn.engine import passes
from minitorch_cnn.errors import UserError
from minitorch_cnn.gradients.grad_cam import grad_cam
from minitorch_cnn.report import feature_map_grid, filter_grid, overlay
from minitorch_cnn.report.feature_maps import most_varied
from minitorch_cnn.report.training_page import first_filters
from minitorch_cnn.runs import RunFolder

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import charts  # which stores a drawing for light and dark screens

PICTURES = Path(__file__).parent / "pictures"
PHOTO = PICTURES / "chelsea.jpg"
CHANNELS = 8  # of each block


class BlockOutputs(passes.Observer):
    """Collects the outputs (h, w, C) of the pools at the ends of the blocks."""

    def __init__(self):
        self.maps = {}

    def after_forward(self, node, x, y, kept):
        if node.layer.name.endswith("_pool"):
            self.maps[node.layer.name] = y[0]


def feature_maps(weights, photo=PHOTO):
    """{name of a block's last layer: (h, w, C)}: what VGG16 computes from the photo, block by block."""
    base, outputs = models.vgg16(include_top=False, input_shape=(224, 224, 3), weights=weights), BlockOutputs()
    passes.forward(base.nodes(), [base.receive(datasets.load_image(photo, 224, 224)[None])], observer=outputs)
    return outputs.maps


def save(name, pixels):
    path = PICTURES / f"{name}.png"
    Image.fromarray(pixels).quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    print(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def of_nothing():
    """The schemes, and still pictures of figures for who reads the pages as plain Markdown."""
    stills = {"figure_microscope": figures.still("microscope", "digit"), "figure_planted": figures.still("planted")}
    for name, drawing in {**schemes.all_of_them(), **stills}.items():
        charts.save(drawing, PICTURES / f"{name}.svg")


def of_the_weights(weights):
    for name, feature_map in feature_maps(weights).items():
        save(f"vgg16_{name}", feature_map_grid(feature_map, most_varied(feature_map, CHANNELS)))


def of_the_run(weights, run):
    model, names = RunFolder(run).load_model()
    before = first_filters(models.vgg16(include_top=False, weights=weights))
    after = first_filters(model)
    change = after - before
    save("filters_before", filter_grid(before[:, :, ::-1], columns=16, magnify=10))
    save("filters_after", filter_grid(after[:, :, ::-1], columns=16, magnify=10))
    save("filters_change", filter_grid(change[:, :, ::-1], columns=16, magnify=10, largest=np.abs(change).max()))
    photo = datasets.load_image(PHOTO, *model.input_shape[:2])
    save("grad_cam", overlay(photo, grad_cam(model, photo, "block5_conv3")))
    probabilities = class_probabilities(model.predict(photo[None]))[0]
    print(", ".join(f"{name} {share:.4f}" for name, share in zip(names, probabilities)))
    print(f"the filters changed by {np.linalg.norm(change) / np.linalg.norm(before):.2%}, "
          f"at most by {np.abs(change).max():.2g}")  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description="Make the tour's pictures.")
    parser.add_argument("--weights", metavar="FILE")
    parser.add_argument("--run", metavar="RUN")
    options = parser.parse_args()
    if options.run and not options.weights:
        parser.error("--run: expected --weights FILE too")
    try:
        of_nothing()
        if options.weights:
            of_the_weights(options.weights)
        if options.run:
            of_the_run(options.weights, options.run)
    except UserError as error:
        print(f"pictures: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
