# %% [markdown]
# # Transfer learning in miniature
#
# A network has been trained on many images, and we have a handful of others. How can it learn from these few? The
# recipe: remove the top, add a new one, freeze the layers below and train the new ones, then unfreeze everything and
# train it gently. Here is the whole recipe on the digits that come with the package: `python
# examples/04_transfer_on_digits.py [--seed N] [--images N] [--epochs N] [--report FILE]`. It takes less than a minute
# on two cores.

# %%
import argparse
import io
import shlex
import sys
import tempfile
from pathlib import Path

import numpy as np
from minitorch_cnn.metrics import confusion_matrix
from minitorch_cnn.preprocessing import Standardize

import minitorch_cnn as mtc
from minitorch_cnn import datasets, features, layers, losses, optimizers, report, schedules
from minitorch_cnn.engine import passes
from minitorch_cnn.report.training_page import first_filters, layer_rows, samples

parser = argparse.ArgumentParser(description="Transfer learning from the digits 0 to 4 to the digits 5 to 9.")
parser.add_argument("--seed", type=int, default=0, help="for colours, images, weights, order and dropout (0)")
parser.add_argument("--images", type=int, default=5, help="images of each new digit, at most 150 (5)")
parser.add_argument("--epochs", type=int, default=10, help="passes over the old digits (10)")
parser.add_argument("--report", type=Path, metavar="FILE", help="where to write the page (a temporary folder)")
arguments = [] if "kernel_launcher" in sys.argv[0] else sys.argv[1:]  # a notebook has no command line
options = parser.parse_args(arguments)
if options.seed < 0 or options.epochs < 1 or not 1 <= options.images <= 150:
    parser.error("expected a seed of at least 0, at least one epoch, and 1 to 150 images")

# %% [markdown]
# ## Two tasks
#
# Every digit is painted with paper of one random colour and ink of another. The colours say nothing about the digit,
# but a network has to learn that, and a few images do not teach it.
#
# * The old task is to recognise the digits 0 to 4, with all of their training images, each painted twice.
# * The new task is to recognise the digits 5 to 9, with five images of each. All their other images are for the test.


# %%
def painted(images, rng):
    """Grey digits (N, 32, 32, 3) in two colours each, at least 64 of 255 apart in every channel."""
    paper = rng.integers(0, 256, (len(images), 1, 1, 3))
    ink = (paper + rng.integers(64, 193, paper.shape)) % 256
    return np.rint(paper + (ink - paper) * (images / 255)).astype(np.uint8)


rng = np.random.default_rng(options.seed)
data = datasets.digits()
old, old_test = data.train_labels < 5, data.test_labels < 5
old_images = painted(np.concatenate([data.train_images[old]] * 2), rng)
old_labels = np.concatenate([data.train_labels[old]] * 2)
old_test_images, old_test_labels = painted(data.test_images[old_test], rng), data.test_labels[old_test]

new_images = painted(np.concatenate([data.train_images[~old], data.test_images[~old_test]]), rng)
new_labels = np.concatenate([data.train_labels[~old], data.test_labels[~old_test]]) - 5


def draw():
    """(images, labels) to train on, the same number of each new digit, drawn at random, and the rest to test on."""
    order = rng.permutation(len(new_labels))
    few = np.concatenate([order[new_labels[order] == digit][: options.images] for digit in range(5)])
    rest = np.setdiff1d(order, few)
    return (new_images[few], new_labels[few]), (new_images[rest], new_labels[rest])


few, test = draw()
print(f"old: {len(old_images):,} images of the digits 0 to 4, {len(old_test_images)} for the test")
print(f"new: {len(few[0])} images of the digits 5 to 9, {len(test[0])} for the test")

# %% [markdown]
# ## The network that somebody has trained
#
# It has three convolutions, each followed by a pool, and a top that distinguishes five digits.


# %%
def blocks():
    stack = []
    for block, filters in enumerate((16, 32, 64), 1):
        stack.append(layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"block{block}_conv"))
        stack.append(layers.MaxPool2D(2, name=f"block{block}_pool"))
    return stack


def top():
    return [layers.Flatten(), layers.Dropout(0.3), layers.Dense(5, activation="softmax")]


def network():
    preprocessing = Standardize.of(old_images)
    return mtc.Sequential([*blocks(), *top()], (32, 32, 3), seed=options.seed, preprocessing=preprocessing)


def one_cycle(rate, images, epochs, batch_size, **settings):
    steps = epochs * -(-len(images) // batch_size)  # batches an epoch, the last one smaller
    return optimizers.SGD(schedules.OneCycle(rate, steps), momentum=0.9, nesterov=True, weight_decay=5e-4, **settings)


augment = datasets.Augmentation(shift=0.08, rotate=8.0, zoom=0.08)
base = network()
base.fit(
    old_images,
    old_labels,
    optimizer=one_cycle(0.02, old_images, options.epochs, 32),
    epochs=options.epochs,
    batch_size=32,
    validation=(old_test_images, old_test_labels),
    augment=augment,
)
CLAIMED = (options.images, options.epochs) == (5, 10)  # the accuracies below are claimed only for these
old_accuracy = base.evaluate(old_test_images, old_test_labels)["accuracy"]
print(f"accuracy {old_accuracy:.4f} on the digits 0 to 4")
assert old_accuracy >= 0.95 or not CLAIMED
trained_base = base.fingerprints()  # {layer: twelve digits that identify all its weights}
tossed = layer_rows(base)[-3:]  # for the page

# %% [markdown]
# ## Surgery
#
# `cut` keeps the layers up to the last pool, and `extend` adds new ones. The old layers move into the new model with
# their weights, and the new ones start at random. The old model cannot be used afterwards, so we keep a copy for later.

# %%
spare = base.copy()
model = base.cut(after="block3_pool").extend(top())
new_top = ("dense_1",)  # the only new layer with weights
kept = [name for name in model.fingerprints() if name not in new_top]
assert kept == ["block1_conv", "block2_conv", "block3_conv"]
assert all(model.fingerprints()[name] == trained_base[name] for name in kept)
assert model.fingerprints()["dense_1"] != trained_base["dense_1"]


# %% [markdown]
# ## Three states of a layer
#
# The summary says for every layer with weights what training does with it:
#
# * **trained**: it gets a gradient and an update.
# * **frozen, gradient passes**: it gets neither, but a layer below it is trained, so the gradient passes through it.
# * **not visited**: no layer at or below this one is trained, so the backward pass stops above it and nothing is stored
#   for it; see the column *activations*.


# %%
def states():
    """{layer: state} as the summary prints it."""
    file = io.StringIO()
    model.summary(batch_size=len(few[0]), file=file)
    print(file.getvalue())
    rows = [line for line in file.getvalue().splitlines() if line.startswith(("block", "dense"))]
    known = ("trained", "frozen, gradient passes", "not visited")
    return {row.split()[0]: next((state for state in known if state in row), "") for row in rows if "pool" not in row}


assert states() == dict.fromkeys([*kept, "dense_1"], "trained")

model.freeze(layers=["block2_conv"])
assert states() == dict.fromkeys(["block1_conv", "block3_conv", "dense_1"], "trained") | {
    "block2_conv": "frozen, gradient passes"
}
model.loss_and_gradients(*few, losses.CrossEntropy())
with_gradient = [layer.name for layer in model.layers if layer.gradients]
assert with_gradient == ["block1_conv", "block3_conv", "dense_1"]
assert np.any(model.get_layer("block1_conv").gradients["kernel"])  # it came down through block2_conv

model.freeze(through="block3_pool")
assert states() == dict.fromkeys(kept, "not visited") | {"dense_1": "trained"}


# %% [markdown]
# Is this true? An observer is told about every layer that a pass visits, and a forward pass returns what it keeps: a
# step for each layer that the backward pass will visit.


# %%
class Visits(passes.Observer):
    def __init__(self):
        self.forward, self.backward = [], []

    def before_forward(self, node, x):
        self.forward.append(node.layer.name)

    def before_backward(self, node, dy):
        self.backward.append(node.layer.name)


visits = Visits()
model.loss_and_gradients(*few, losses.CrossEntropy(), observer=visits)
assert visits.forward == [layer.name for layer in model.layers] and visits.backward == ["dense_1"]
assert [layer.name for layer in model.layers if layer.gradients] == ["dense_1"]

nodes = model.nodes()
_, steps = passes.forward(nodes, [model.receive(few[0])], training=True, keep=passes.need_gradients(nodes))
kept_for = [step.node.layer.name for step in steps]
assert kept_for == ["dense_1"]
print("kept for the backward pass of:", ", ".join(kept_for))

# %% [markdown]
# ## Features once
#
# The features that the frozen base computes for an image never change, so it is enough to compute them once. `fit` does
# this by itself if the images are not augmented. By hand it looks like this: the layers below the first one that learns
# or draws random numbers turn the images into features, and the layers above, as a model of their own, start from
# these.

# %%
depth = features.fixed_depth(model)
few_features = features.base_features(model, few[0], progress=False)
upper = model.above(depth)
assert [layer.name for layer in upper.layers] == ["dropout_1", "dense_1"]
assert few_features.shape == (len(few[0]), 4 * 4 * 64)
assert np.allclose(upper.predict(few_features), model.predict(few[0]), rtol=1e-4, atol=1e-6)
assert features.worth_caching(model, augment=None) and not features.worth_caching(model, augment)
print(f"images {few[0].shape} -> features {few_features.shape}")

# %% [markdown]
# ## Training the new top

# %%
TOP_EPOCHS, ALL_EPOCHS = 60, 120


def train(model, few, rate, epochs, multipliers=None, **settings):
    """Train on a few images and labels; returns the history."""
    optimizer = one_cycle(rate, few[0], epochs, 10, multipliers=multipliers)
    return model.fit(*few, optimizer=optimizer, epochs=epochs, batch_size=10, progress=False, **settings)


def accuracy(model, test):
    return model.evaluate(*test)["accuracy"]


top_history = train(model, few, 0.01, TOP_EPOCHS, validation=test)
frozen, kernel = accuracy(model, test), first_filters(model)
assert all(model.fingerprints()[name] == trained_base[name] for name in kept)
print(f"accuracy {frozen:.4f} on the digits 5 to 9 with the base frozen, which is the same to the last bit")

# %% [markdown]
# ## The same network from scratch
#
# What would the network have learned from the few images alone? It gets the same layers, the learning rate of the new
# top, as many epochs as both phases of the transfer together, and augmentation in all of them. It memorises its images,
# including their colours.

# %%
from_scratch = network()
train(from_scratch, few, 0.01, TOP_EPOCHS + ALL_EPOCHS, augment=augment)
scratch, memorised = accuracy(from_scratch, test), accuracy(from_scratch, few)
print(f"accuracy {scratch:.4f} from scratch, {memorised:.4f} on the images that it was trained on")
assert (memorised >= scratch + 0.2 and frozen >= scratch + 0.2) or not CLAIMED

# %% [markdown]
# ## Unfreeze, and train the whole network gently
#
# Now the old layers may adapt to the new task, but carefully, because large steps would destroy what they have learned.
# So the learning rate is half that of the new top, and a tenth of that for the old layers: `multipliers` scale the rate
# of layers by their name or its beginning. For comparison, a copy is trained carelessly, with twice the rate of the new
# top in all layers.

# %%
model.unfreeze()
assert all(layer.trainable for layer in model.layers)
careless_model = model.copy()
gentle = dict.fromkeys(("block1", "block2", "block3"), 0.1)
all_history = train(model, few, 0.005, ALL_EPOCHS, gentle, augment=augment)
train(careless_model, few, 0.02, ALL_EPOCHS, augment=augment)
tuned, careless = accuracy(model, test), accuracy(careless_model, test)
assert all(model.fingerprints()[name] != trained_base[name] for name in kept)

for way, result, trained in (("gently", tuned, model), ("carelessly", careless, careless_model)):
    moved = np.linalg.norm(first_filters(trained) - kernel) / np.linalg.norm(kernel)
    print(f"accuracy {result:.4f} after training everything {way}: the first kernel moved by {moved:.1%} of its size")
assert tuned >= careless + 0.05 or not CLAIMED

# %% [markdown]
# ## Was it luck?
#
# Five images of a digit may be good or bad examples, and that matters more than what fine-tuning gains. So we repeat
# everything a few times with other images, and compare the means.

# %%
pairs = [(frozen, tuned)]
for _ in range(4):
    others, their_test = draw()
    again = spare.copy().cut(after="block3_pool").extend(top()).freeze(through="block3_pool")
    train(again, others, 0.01, TOP_EPOCHS)
    with_frozen_base = accuracy(again, their_test)
    train(again.unfreeze(), others, 0.005, ALL_EPOCHS, gentle, augment=augment)
    pairs.append((with_frozen_base, accuracy(again, their_test)))
for before, after in pairs:
    print(f"accuracy {before:.4f} with the base frozen, {after:.4f} after fine-tuning")
gain = np.mean([after - before for before, after in pairs])
print(f"fine-tuning gains {gain:.4f} on average")
assert gain >= 0.01 or not CLAIMED

# %% [markdown]
# ## The page
#
# A single HTML file shows what was kept, removed and added, both phases, and the surest mistakes.

# %%
rows, probabilities = layer_rows(model), model.predict(test[0])
names = data.class_names[5:]
run = report.TransferRun(
    title="Digits, by transfer",
    subtitle=f"from the digits 0 to 4 to the digits 5 to 9, {len(few[0])} images of them",
    base="the network of the digits 0 to 4",
    commands=[("Train it again", shlex.join(["python", "examples/04_transfer_on_digits.py", *arguments]))],
    facts=[("accuracy from scratch", f"{scratch:.1%}")],
    input_shape=model.input_shape,
    kept=rows[:-3],
    tossed=tossed,
    added=rows[-3:],
    phases=[
        report.Phase("base frozen", top_history, states=dict.fromkeys(kept, "frozen")),
        report.Phase("everything trained", all_history, accuracy=tuned, detail="the old layers at a tenth of the rate"),
    ],
    class_names=list(names),
    confusion=confusion_matrix(test[1], probabilities.argmax(axis=1), len(names)),
    samples=samples(*test, probabilities, names),
    filters_before=kernel,
    filters_after=first_filters(model),
)
page = options.report or Path(tempfile.mkdtemp(prefix="transfer-")) / "report.html"
print(f"report: {report.write_transfer_report(run, page)}")
