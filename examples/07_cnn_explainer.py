# %% [markdown]
# # Your network in CNN Explainer
#
# How can you watch your own network at work, neuron by neuron? CNN Explainer (Wang et al. 2020,
# poloclub.github.io/cnn-explainer) is a web page that shows a Tiny VGG: four convolutions of ten filters, two pools,
# one dense layer. Here such a network is trained on the digits that come with the package and written as the files that
# the page reads: `python examples/07_cnn_explainer.py [--epochs N] [--out FOLDER]`. It takes half a minute on two
# cores.

# %%
import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from minitorch_cnn.preprocessing import Standardize
from PIL import Image

from minitorch_cnn import datasets, models, optimizers
from minitorch_cnn.lessons import cnn_explainer

parser = argparse.ArgumentParser(description="Train a Tiny VGG on digits and write it for CNN Explainer.")
parser.add_argument("--epochs", type=int, default=3, help="passes over the training images (3)")
parser.add_argument("--out", type=Path, metavar="FOLDER", help="where to write the files (a temporary folder)")
options = parser.parse_args([] if "kernel_launcher" in sys.argv[0] else None)  # a notebook has no command line
if options.epochs < 1:
    parser.error("expected at least one epoch")

# %% [markdown]
# ## Train
#
# The page shows images of 64x64 pixels, so the digits are enlarged. The network learns best from numbers around zero,
# but the page passes pixels / 255 to it. The export changes the first convolution so that its result is the same.

# %%
digits = datasets.digits()


def scaled(images):
    return np.stack([np.array(Image.fromarray(image).resize((64, 64))) for image in images])


train_images, test_images = scaled(digits.train_images), scaled(digits.test_images)
model = models.tiny_vgg(seed=0, preprocessing=Standardize.of(train_images))
model.fit(train_images, digits.train_labels, optimizer=optimizers.Adam(2e-3), epochs=options.epochs, batch_size=32,
          validation=(test_images, digits.test_labels))  # fmt: skip
accuracy = model.evaluate(test_images, digits.test_labels)["accuracy"]
print(f"test accuracy {accuracy:.4f} on {len(test_images)} images")
if options.epochs >= 3:
    assert accuracy >= 0.9

# %% [markdown]
# ## Write
#
# There are three files. `nn_10.json` lists every neuron with its bias and a kernel for each channel below it;
# `model.json` and its weights are the same network for TensorFlow.js. Put them into `public/assets/data/` of a copy of
# CNN Explainer. On the command line, `minitorch-cnn export tiny-vgg --weights FILE --cnn-explainer DIR` does this for
# weights that Keras or `model.save_weights` wrote.

# %%
folder = options.out or Path(tempfile.mkdtemp(prefix="cnn_explainer_"))
files = cnn_explainer.export(model, folder)
print("\n".join(f"{path}: {path.stat().st_size:,} bytes" for path in files))

# %% [markdown]
# ## Is it the same network?
#
# In a few lines, this is what the page does with the first file: each neuron adds up its inputs, channel by channel.

# %%
layers = json.loads(files[0].read_text())


def answer(image):
    maps = list((image / 255).transpose(2, 0, 1))
    for layer in layers[:-2]:
        if "weights" in layer:
            size = layer["output_shape"][0]
            maps = [
                neuron["bias"]
                + sum(
                    kernel[p][q] * below[p : p + size, q : q + size]
                    for below, kernel in zip(maps, neuron["weights"])
                    for p, q in np.ndindex(3, 3)
                )
                for neuron in layer["weights"]
            ]
        elif layer["name"].startswith("relu"):
            maps = [np.maximum(below, 0) for below in maps]
        else:
            half = layer["output_shape"][0]
            maps = [below[: 2 * half, : 2 * half].reshape(half, 2, half, 2).max(axis=(1, 3)) for below in maps]
    row = np.stack(maps, axis=-1).reshape(-1)  # flattened: row, column, channel
    scores = np.array([neuron["bias"] + np.dot(neuron["weights"], row) for neuron in layers[-1]["weights"]])
    e = np.exp(scores - scores.max())
    return e / e.sum()


for image in test_images[:3]:
    theirs, ours = answer(image), model.predict(image[None])[0]
    assert np.allclose(theirs, ours, atol=1e-4)
    best = int(theirs.argmax())
    print(f"the page would say {digits.class_names[best]}, {theirs[best]:.4f}; the network says {ours[best]:.4f}")
print("CNN Explainer computes what the network predicts")
