# %% [markdown]
# # Photos: CIFAR-10 from scratch
#
# How well does the slides' ConvNet recognise 50,000 photos of 32x32 pixels in ten classes after twenty epochs?
#
#     python examples/03_cifar10.py                     downloads the data once (162 MiB)
#     python examples/03_cifar10.py FOLDER              the folder, or the .tar.gz, with the binary version
#     python examples/03_cifar10.py FOLDER --epochs 1 --images 5000        a quick look
#
# Repeat the same command to continue an interrupted run.

# %%
import argparse
import sys
from pathlib import Path

import numpy as np
from minitorch_cnn.callbacks import Checkpoint
from minitorch_cnn.metrics import confusion_matrix
from minitorch_cnn.preprocessing import Standardize

from minitorch_cnn import datasets, losses, models, optimizers, schedules
from minitorch_cnn.errors import UserError

parser = argparse.ArgumentParser(description="Train the slides' ConvNet on CIFAR-10.")
parser.add_argument("folder", nargs="?", help="where the data is (downloaded)")
parser.add_argument("--epochs", type=int, default=20, help="passes over the training images (20)")
parser.add_argument("--images", type=int, default=50_000, help="how many images to train on (all)")
options = parser.parse_args([] if "kernel_launcher" in sys.argv[0] else None)  # a notebook has no command line
if min(options.epochs, options.images) < 1:
    parser.error("expected at least one epoch and one image")

try:
    data = datasets.cifar10(options.folder)
except UserError as error:
    print(error, file=sys.stderr)
    sys.exit(2)
images, labels = data.train_images[: options.images], data.train_labels[: options.images]
print(f"{data}; training on {len(images):,}")

# %% [markdown]
# ## The recipe
#
# * Half of the time a photo is mirrored, and it is shifted by up to a tenth of its width and height. A mirrored dog is
#   still a dog, so this does no harm; for digits it would be a mistake.
# * Dropout follows the pools and precedes the last layer.
# * Stochastic gradient descent uses momentum: steps add up where the gradients agree and cancel where they do not.
#   Nesterov's version looks one step of momentum ahead.
# * One cycle: the learning rate rises during the first three tenths of all steps, then falls to nearly zero.
# * Weight decay pulls all weights towards zero a little, so only the weights that are needed stay large.

# %%
BATCH_SIZE = 128
steps = options.epochs * -(-len(images) // BATCH_SIZE)  # batches in an epoch, the last one smaller
model = models.cifar10(dropout=True, seed=0, preprocessing=Standardize.of(images))
optimizer = optimizers.SGD(schedules.OneCycle(0.03, steps), momentum=0.9, nesterov=True, weight_decay=5e-4)
model.summary(batch_size=BATCH_SIZE)

# %% [markdown]
# ## Training that can be interrupted
#
# The `Checkpoint` callback writes weights, momentum, epoch and batch to one file: at the end of each epoch, every
# minute, and at Ctrl-C. `fit(..., resume=file)` continues from there. The random numbers depend only on the seed, the
# epoch and the batch, so an interrupted run ends with exactly the same bits as an uninterrupted one.

# %%
file = Path("runs") / f"03_cifar10-{options.epochs}-epochs-{len(images)}-images.npz"
if file.exists():
    print(f"continuing from {file}")
try:
    history = model.fit(
        images,
        labels,
        loss=losses.CrossEntropy(),
        optimizer=optimizer,
        epochs=options.epochs,
        batch_size=BATCH_SIZE,
        validation=(data.test_images, data.test_labels),
        augment=datasets.Augmentation(flip=True, shift=0.1),
        callbacks=[Checkpoint(file, resume_command="the same command")],
        resume=file if file.exists() else None,
    )
except KeyboardInterrupt as interrupted:
    print(interrupted, file=sys.stderr)
    sys.exit(130)
file.unlink(missing_ok=True)  # finished: the same command starts from the beginning

# %% [markdown]
# ## How good is it?
#
# Twenty epochs over all photos give at least 80 %. For a shorter run we claim less, and for one over a handful of
# photos nothing. Guessing would give 10 %.

# %%
predicted = model.predict(data.test_images).argmax(axis=1)
accuracy = np.mean(predicted == data.test_labels)
print(f"test accuracy {accuracy:.4f} on {len(predicted):,} photos after epoch {options.epochs}")
assert np.isclose(accuracy, history["val_accuracy"][-1])

CLAIMS = {1_000_000: 0.80, 50_000: 0.40, 5_000: 0.20, 0: 0.0}  # photos seen in training: accuracy at least
seen = options.epochs * len(images)
claimed = next(claim for photos, claim in CLAIMS.items() if seen >= photos)
assert accuracy >= claimed, f"expected at least {claimed} after {seen:,} photos, got {accuracy:.4f}"

# %% [markdown]
# Which mistakes does it make? It confuses classes with similar shapes and colours: cats and dogs, trucks and
# automobiles.

# %%
confusion = confusion_matrix(data.test_labels, predicted, classes=len(data.class_names))
mistakes = confusion * (1 - np.eye(len(confusion), dtype=int))
print("the most common mistakes:")
for place in np.argsort(-mistakes, axis=None, kind="stable")[:5]:
    truth, answer = np.unravel_index(place, mistakes.shape)
    print(f"  {data.class_names[truth]} taken for {data.class_names[answer]}: {mistakes[truth, answer]} times")
