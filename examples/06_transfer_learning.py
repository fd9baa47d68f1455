# %% [markdown]
# # Transfer learning with VGG16
#
# How does VGG16, which was trained on a thousand classes of ImageNet, learn to tell cats from dogs? Two thousand photos
# are enough: load its weights, remove the top, add a new one, freeze the rest and train the new layers, then unfreeze
# the upper convolutions and train them gently.
#
#     python examples/06_transfer_learning.py WEIGHTS FOLDER
#     python examples/06_transfer_learning.py WEIGHTS FOLDER --images 200 --top-epochs 10 --all-epochs 0    a quick look
#
# WEIGHTS is Keras's file of VGG16 without the top, and FOLDER is that of the previous example; without them they are
# downloaded once (59 MB and 787 MiB). Repeat the same command to continue an interrupted run.

# %%
import argparse
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from minitorch_cnn.callbacks import EMA, Checkpoint
from minitorch_cnn.metrics import class_probabilities, confusion_matrix

from minitorch_cnn import datasets, features, keras_h5, layers, models, optimizers, report, schedules, weight_files
from minitorch_cnn.errors import UserError
from minitorch_cnn.gradients.grad_cam import grad_cam
from minitorch_cnn.report.training_page import first_filters, layer_rows, samples
from minitorch_cnn.report.transfer_training import LECTURE, explanations
from minitorch_cnn.runs import RunFolder
from minitorch_cnn.runs.base import PHOTOS
from minitorch_cnn.runs.fine_tune import FineTuneSettings
from minitorch_cnn.runs.phases import changed_copies

recipe = FineTuneSettings(weights="", data=None)  # the numbers of `minitorch-cnn fine-tune`
parser = argparse.ArgumentParser(description="Train VGG16 to tell cats from dogs.")
parser.add_argument("weights", nargs="?", help="VGG16's weights without the top (downloaded)")
parser.add_argument("folder", nargs="?", help="where the photos are (downloaded)")
parser.add_argument("--images", type=int, metavar="N", help="train and test on N photos each (all)")
numbers = {
    "--size": (recipe.size, "resize photos to NxN"),
    "--top-epochs": (recipe.top_epochs, "epochs with the base frozen"),
    "--all-epochs": (recipe.all_epochs, "epochs with block 5 trained too"),
}
for name, (default, meaning) in numbers.items():
    parser.add_argument(name, type=int, metavar="N", default=default, help=f"{meaning} ({default})")
arguments = [] if "kernel_launcher" in sys.argv[0] else sys.argv[1:]  # a notebook has no command line
options = parser.parse_args(arguments)
if options.top_epochs < 1 or options.all_epochs < 0 or (options.images is not None and options.images < 1):
    parser.error("expected at least one epoch for the top, none or more for all, and at least one image")

# %% [markdown]
# ## VGG16, and what is in its file
#
# First we build the network with its original top, then we load the weights by the names of the layers. The report
# gives a *fingerprint* of every layer's weights: a few digits that change if any weight changes.

# %%
try:
    weights = options.weights or weight_files.fetch("vgg16", top=False)
    vgg16 = models.vgg16(include_top=True, input_shape=(options.size, options.size, 3))
    loaded = vgg16.load_weights(weights, by_name=True)
    data = datasets.cats_vs_dogs(options.folder, options.size, options.size)
except UserError as error:
    print(error, file=sys.stderr)
    sys.exit(2)
print(loaded.report)
in_file = {row.name: row.fingerprint for row in keras_h5.inspect(weights).layers if row.name.startswith("block")}
in_file = {name: fingerprint for name, fingerprint in in_file.items() if fingerprint}  # pools have no weights
assert len(in_file) == 13

if options.images is not None:
    some, others = (photos.sample(options.images) for photos in (data.train_images, data.test_images))
    data = replace(data, train_images=some, train_labels=some.labels, test_images=others, test_labels=others.labels)
print(f"\n{data}")

# %% [markdown]
# ## Surgery, step by step
#
# * `cut` ends the network at `block5_pool` and removes the layers above, which know the thousand classes of ImageNet.
# * `extend` adds a new top with random weights: 256 features, and the probability of a dog. Random weights are made for
#   numbers of about one, and VGG16's features are tens to hundreds large, so they are scaled first.
# * `freeze` lets the old layers keep their weights. The summary calls them *not visited*, because the backward pass
#   stops above them.

# %%
tossed = layer_rows(vgg16)[-4:]  # for the page
base = vgg16.cut(after="block5_pool")
assert base.output_shape == base.get_layer("block5_pool").output_shape
assert base.fingerprints() == in_file  # the weights moved with their layers

model = base.extend(
    [
        layers.Rescaling(0.02),
        layers.Flatten(),
        layers.Dense(256, activation="relu"),
        layers.Dropout(0.5),
        layers.Dense(1, activation="sigmoid"),
    ]
)
model.freeze(through="block5_pool")
model.summary(batch_size=recipe.batch_size)
kept, new = list(in_file), ["dense_1", "dense_2"]
assert [layer.name for layer in model.layers if layer.parameters and layer.trainable] == new
print("removed:", ", ".join(row.name for row in tossed), "  new:", ", ".join(new))

# %% [markdown]
# The package builds this network in one line, and the same seed gives the same weights.

# %%
in_one_line = models.transfer_net(weights=weights, input_shape=model.input_shape, seed=model.seed)
assert in_one_line.fingerprints() == model.fingerprints()
del in_one_line

# %% [markdown]
# ## Features once, then the top
#
# The frozen base computes the same features for a photo in every epoch, so `fit` computes them once and trains the new
# layers on the stored features. This is most of the work, and the epochs after it are short. A photo and its mirror
# image have different features, so the top learns from both.

# %%
run_folder = RunFolder(Path("runs") / f"06_transfer_learning-{options.size}-pixels-{len(data.train_images)}-photos")


def train(phase, photos, epochs, optimizer, callbacks=()):
    """One phase on copies of the photos; returns its history. A checkpoint lets it continue after an interruption."""
    checkpoint = run_folder.path / f"checkpoint-{phase}.npz"
    if checkpoint.exists():
        print(f"continuing from {checkpoint}")
    try:
        return model.fit(
            photos,
            photos.labels(data.train_labels),
            optimizer=optimizer,
            epochs=epochs,
            batch_size=recipe.batch_size,
            validation=(data.test_images, data.test_labels),
            callbacks=[*callbacks, Checkpoint(checkpoint, resume_command="the same command")],
            resume=checkpoint if checkpoint.exists() else None,
        )
    except KeyboardInterrupt as interrupted:
        print(interrupted, file=sys.stderr)
        sys.exit(130)


assert features.worth_caching(model, augment=None)
both_sides = datasets.Copies(data.train_images, [None, "mirror"])
top_history = train("top", both_sides, options.top_epochs, optimizers.Adam(recipe.top_rate))
frozen = top_history["val_accuracy"][-1]
print(f"validation accuracy {frozen:.4f} with the base frozen")

# %% [markdown]
# The base still equals the file, to the last bit. Only the new layers have learned.

# %%
after_top = model.fingerprints()
untouched = {name: after_top[name] for name in kept} == in_file
assert untouched, f"expected the base of {weights}; is the checkpoint in {run_folder.path} one of other weights?"
print(f"the fingerprints of all {len(kept)} base layers are those of the file")

# %% [markdown]
# ## Train block 5 gently
#
# Now the convolutions of block 5 learn too, ten times as slowly as the new layers, so that VGG16 is adjusted and does
# not lose what it knows. Two thousand photos are few for them, so they learn from several copies of each photo,
# which are mirrored, turned, zoomed and shifted at random. Blocks 1 to 4 stay frozen, so their features are again
# computed once. The rate falls to zero as a cosine. The moving average of the weights (`EMA`), which is measured and
# kept, is less noisy than the weights of any single step.

# %%
filters_before = first_filters(model)
models.unfreeze_base(model, recipe.unfreeze)
phases = [
    report.Phase(
        "base frozen",
        top_history,
        states=dict.fromkeys(kept, "frozen"),
        detail=f"Adam {recipe.top_rate:g}, features computed once",
    )
]
if options.all_epochs:
    kernel = model.get_layer("block5_conv3").parameters["kernel"].copy()
    changed = changed_copies(data.train_images, recipe.copies, flip=True)
    steps = options.all_epochs * -(-len(changed) // recipe.batch_size)
    slower = optimizers.Adam(schedules.Cosine(recipe.all_rate, steps), multipliers={"block5": PHOTOS.slower})
    all_history = train("all", changed, options.all_epochs, slower, [EMA(PHOTOS.decay)])
    phases.append(report.Phase("block 5 trained too", all_history, detail=f"Adam {recipe.all_rate:g}, changed copies"))
    moved = np.linalg.norm(model.get_layer("block5_conv3").parameters["kernel"] - kernel) / np.linalg.norm(kernel)
    print(f"the last kernel of VGG16 moved by {moved:.4%} of its size")

probabilities = class_probabilities(model.predict(data.test_images, batch_size=recipe.batch_size))  # (N, 2)
predicted = probabilities.argmax(axis=1)
accuracy = np.mean(predicted == data.test_labels)
print(f"validation accuracy {frozen:.4f} with the base frozen, {accuracy:.4f} after fine-tuning")
run_folder.save_model(model, data.class_names)

# %% [markdown]
# VGG16's published weights, two thousand photos and all epochs of the recipe give at least 95.5 % with the base frozen
# and at least 96 % after fine-tuning. Ten epochs of the top over two hundred photos give 80 %. For less we claim
# nothing.

# %%
claimed = tuned = 0.0
if len(data.train_images) >= 200 and options.top_epochs >= 10:
    claimed = 0.80
if len(data.train_images) >= 2_000 and options.top_epochs >= recipe.top_epochs:
    claimed = 0.955
    tuned = 0.96 if options.all_epochs >= recipe.all_epochs else 0.0
assert frozen >= claimed, f"expected at least {claimed} with the base frozen, got {frozen:.4f}"
assert accuracy >= tuned, f"expected at least {tuned} after fine-tuning, got {accuracy:.4f}"

# %% [markdown]
# ## Confident mistakes

# %%
confusion = confusion_matrix(data.test_labels, predicted, classes=2)
print(f"rows: {' and '.join(data.class_names)} in truth, columns: the answers\n{confusion}")
confidence = probabilities.max(axis=1)
mistakes = np.flatnonzero(predicted != data.test_labels)
for i in mistakes[np.argsort(-confidence[mistakes], kind="stable")][:5]:
    truth, answer = data.class_names[data.test_labels[i]], data.class_names[predicted[i]]
    print(f"{data.test_images.paths[i].name}: a {truth}, taken for a {answer} with probability {confidence[i]:.2f}")

# %% [markdown]
# ## Where it looked
#
# Grad-CAM shows which places of the photo speak for the answer: the feature map of the last convolution, weighted by
# the gradient of the answer's score. Here is the dog that the network is surest of; it is blank where nothing speaks
# for a dog. The page shows more photos with their heat maps.

# %%
surest = int((probabilities[:, 1] * data.test_labels).argmax())
photo = data.test_images[surest]
before = model.fingerprints()
heat = grad_cam(model, photo, "block5_conv3", output=1)
assert heat.shape == photo.shape[:2] and 0 <= heat.min() <= heat.max() <= 1
assert model.fingerprints() == before  # looking changes nothing
print(f"{data.test_images.paths[surest].name}, {probabilities[surest, 1]:.2f} a dog")
places = np.linspace(0, options.size - 1, 32).astype(int)  # a character is twice as high as wide
for row in heat[np.ix_(places[::2], places)]:
    print("   ", "".join(" .:-=+*#%@"[int(9 * value)] for value in row))

# %% [markdown]
# ## The page

# %%
rows = layer_rows(model)
run = report.TransferRun(
    title="Cats and dogs, by transfer",
    subtitle=str(data),
    references=[LECTURE],
    commands=[
        ("Train it again", shlex.join(["python", "examples/06_transfer_learning.py", *arguments])),
        ("Cat or dog?", f"minitorch-cnn predict {run_folder.path} PHOTO"),
    ],
    input_shape=model.input_shape,
    kept=rows[:-5],
    tossed=tossed,
    added=rows[-5:],
    phases=phases,
    class_names=list(data.class_names),
    confusion=confusion,
    samples=samples(data.test_images, data.test_labels, probabilities, data.class_names),
    filters_before=filters_before,
    filters_after=first_filters(model),
    bgr=True,
    explanations=explanations(model, data.test_images, data.test_labels, probabilities, data.class_names),
    skipped=list(data.skipped),
    notes=["VGG16's ImageNet weights: Visual Geometry Group, University of Oxford, CC BY 4.0."],
)
print(f"report: {report.write_transfer_report(run, run_folder.report)}")
for checkpoint in run_folder.path.glob("checkpoint-*.npz"):
    checkpoint.unlink()  # finished: the same command starts from the beginning
