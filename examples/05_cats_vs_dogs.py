# %% [markdown]
# # Cats and dogs from scratch
#
# What can a network learn from two thousand photos alone? The slides' small ConvNet sees photos of 150x150 pixels. Two
# thousand are few for a network that starts from random weights, so it needs augmentation, dropout and many epochs:
#
#     python examples/05_cats_vs_dogs.py                downloads the photos once (787 MiB): all 25,000
#     python examples/05_cats_vs_dogs.py FOLDER         train/cats, train/dogs, validation/cats, validation/dogs
#     python examples/05_cats_vs_dogs.py FOLDER --epochs 1 --images 200        a quick look
#
# Repeat the same command to continue an interrupted run. The next example does better with the same photos, because its
# network has been trained before.

# %%
import argparse
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from minitorch_cnn.callbacks import Checkpoint
from minitorch_cnn.metrics import class_probabilities, confusion_matrix

from minitorch_cnn import datasets, report
from minitorch_cnn.errors import UserError
from minitorch_cnn.models.recipes import RECIPES
from minitorch_cnn.report.training_page import first_filters, layer_rows, samples

recipe = RECIPES["cats-vs-dogs"]  # what `minitorch-cnn train cats-vs-dogs` does
parser = argparse.ArgumentParser(description="Train the slides' small ConvNet on photos of cats and dogs.")
parser.add_argument("folder", nargs="?", help="where the photos are (downloaded)")
parser.add_argument("--epochs", type=int, default=recipe.epochs, help=f"passes over the photos ({recipe.epochs})")
parser.add_argument("--images", type=int, metavar="N", help="how many photos to train on (all)")
parser.add_argument(
    "--report", type=Path, metavar="FILE", help="where to write the page (beside the checkpoint, in runs)"
)
arguments = [] if "kernel_launcher" in sys.argv[0] else sys.argv[1:]  # a notebook has no command line
options = parser.parse_args(arguments)
if options.epochs < 1 or (options.images is not None and options.images < 1):
    parser.error("expected at least one epoch and one image")

# %% [markdown]
# ## The photos
#
# Only their names are read now. Photos are decoded batch by batch, in threads that work ahead of the training. Every
# photo is resized to 150x150 pixels. Label 1 means a dog, so the single output of the network is the probability of a
# dog.

# %%
try:
    data = recipe.load(options.folder, progress=True)
except UserError as error:
    print(error, file=sys.stderr)
    sys.exit(2)
if options.images is not None:
    some = data.train_images.sample(options.images)
    data = replace(data, train_images=some, train_labels=some.labels)
print(data)
print(f"cats and dogs to train on: {np.bincount(data.train_labels)}, to test on: {np.bincount(data.test_labels)}")

# %% [markdown]
# ## The network and the recipe
#
# More than nine tenths of the weights are in the first dense layer, which looks at 17x17x64 = 18,496 numbers at once.
# With so many weights and so few photos, the network could memorise them. Dropout, weight decay and augmentation
# prevent this: in every epoch each photo is mirrored, shifted and zoomed a little differently.

# %%
model = recipe.model(data, seed=0)
model.summary(batch_size=recipe.batch_size)
dense = model.get_layer("dense_1").count_parameters()
assert dense > 0.9 * sum(layer.count_parameters() for layer in model.layers)

steps = options.epochs * -(-len(data.train_images) // recipe.batch_size)  # batches in an epoch, the last one smaller
optimizer = recipe.optimizer(recipe.learning_rate, steps)
augment = datasets.Augmentation(**recipe.augment)
print(f"{steps:,} steps in batches of {recipe.batch_size}\n{optimizer}\n{augment}")

# %% [markdown]
# ## Training

# %%
file = Path("runs") / f"05_cats_vs_dogs-{options.epochs}-epochs-{len(data.train_images)}-images.npz"
if file.exists():
    print(f"continuing from {file}")
try:
    history = model.fit(
        data.train_images,
        data.train_labels,
        optimizer=optimizer,
        epochs=options.epochs,
        batch_size=recipe.batch_size,
        validation=(data.test_images, data.test_labels),
        augment=augment,
        callbacks=[Checkpoint(file, resume_command="the same command")],
        resume=file if file.exists() else None,
    )
except KeyboardInterrupt as interrupted:
    print(interrupted, file=sys.stderr)
    sys.exit(130)

# %% [markdown]
# ## How good is it?
#
# A guess is right half of the time. The whole recipe with two thousand photos or more gives at least 77 % on photos
# that the network has not seen. After three epochs over a thousand photos we claim only that it has begun to learn: at
# least 53 %, and a loss below log 2, which is the loss of the answer "one half" for every photo. For less we claim
# nothing.

# %%
probabilities = class_probabilities(model.predict(data.test_images))  # (N, 2): of a cat, of a dog
predicted = probabilities.argmax(axis=1)
accuracy = np.mean(predicted == data.test_labels)
print(f"validation accuracy {accuracy:.4f} on {len(predicted):,} photos after epoch {options.epochs}")
assert np.isclose(accuracy, history["val_accuracy"][-1])

if len(data.train_images) >= 2_000 and options.epochs >= recipe.epochs:
    claimed = 0.77
elif len(data.train_images) >= 1_000 and options.epochs >= 3:
    claimed = 0.53
    assert history["val_loss"][-1] < np.log(2), f"expected a loss below log 2, got {history['val_loss'][-1]:.4f}"
else:
    claimed = 0.0
assert accuracy >= claimed, f"expected at least {claimed} after {options.epochs} epochs, got {accuracy:.4f}"

# %% [markdown]
# ## Confident mistakes
#
# These are the photos on which the network was surest and wrong. Some are hard, some have a wrong label, and some show
# what it looks at: a network this small sees fur and background rather than ears and noses.

# %%
confusion = confusion_matrix(data.test_labels, predicted, classes=2)
print(f"rows: {' and '.join(data.class_names)} in truth, columns: the answers\n{confusion}")
confidence = probabilities.max(axis=1)
mistakes = np.flatnonzero(predicted != data.test_labels)
for i in mistakes[np.argsort(-confidence[mistakes], kind="stable")][:5]:
    truth, answer = data.class_names[data.test_labels[i]], data.class_names[predicted[i]]
    print(f"{data.test_images.paths[i].name}: a {truth}, taken for a {answer} with probability {confidence[i]:.2f}")

# %% [markdown]
# ## The page of the run

# %%
run = report.Run(
    title="Cats and dogs from scratch",
    subtitle=str(data),
    commands=[("Train it again", shlex.join(["python", "examples/05_cats_vs_dogs.py", *arguments]))],
    facts=[("validation accuracy", f"{accuracy:.2%}"), ("epochs", options.epochs)],
    layers=layer_rows(model),
    input_shape=model.input_shape,
    history=history,
    class_names=list(data.class_names),
    confusion=confusion,
    samples=samples(data.test_images, data.test_labels, probabilities, data.class_names),
    filters=first_filters(model),
)
page = options.report or file.with_suffix(".html")
print(f"report: {report.write_report(run, page)}")
file.unlink(missing_ok=True)  # finished: the same command starts from the beginning
