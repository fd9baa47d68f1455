# %% [markdown]
# # Photos: CIFAR-10 from nothing
#
# 50,000 photos of 32x32 pixels in ten classes, the ConvNet of the slides, twenty epochs:
#
#     python examples/03_cifar10.py                     downloads the data once (162 MiB)
#     python examples/03_cifar10.py FOLDER              the folder, or the .tar.gz, with the binary version
#     python examples/03_cifar10.py FOLDER --epochs 1 --images 5000        a quick look
#
# An interrupted run goes on where it was when the same command is given again.

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
parser.add_argument("folder", nargs="?", help="where the data is; left out: downloaded")
parser.add_argument("--epochs", type=int, default=20, help="passes over the training images (20)")
parser.add_argument("--images", type=int, default=50_000, help="train on so many of the images (all)")
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
# * The network sees every photo mirrored half of the time, and moved by up to a tenth of its width and height. A dog
#   looking left is a dog looking right, so there is no harm in it; for digits, a mirror would be a mistake.
# * Dropout after the pools and before the last layer.
# * Stochastic gradient descent with momentum: steps add up where the gradients agree and cancel where they do not.
#   Nesterov's version looks one step of momentum ahead.
# * One cycle of the learning rate: up during the first three tenths of all steps, then down to nearly nothing.
# * Weight decay pulls all weights towards zero a little, so that only those stay large that are needed.

# %%
BATCH_SIZE = 128
steps = options.epochs * -(-len(images) // BATCH_SIZE)  # batches in an epoch, the last one smaller
model = models.cifar10(dropout=True, seed=0, preprocessing=Standardize.of(images))
optimizer = optimizers.SGD(schedules.OneCycle(0.03, steps), momentum=0.9, nesterov=True, weight_decay=5e-4)
model.summary(batch_size=BATCH_SIZE)

# %% [markdown]
# ## Training that can be left
#
# The `Checkpoint` callback writes one file, at the end of each epoch, every minute within one, and at Ctrl-C: weights,
# momentum, epoch, batch. `fit(..., resume=file)` goes on from it. What is random in an epoch follows from the seed, the
# epoch and the batch, so a run that was interrupted ends with the very bits of one that was not.

# %%
file = Path("runs") / f"03_cifar10-{options.epochs}-epochs-{len(images)}-images.npz"
if file.exists():
    print(f"going on from {file}")
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
file.unlink(missing_ok=True)  # finished: the same command begins anew

# %% [markdown]
# ## What it can do
#
# Twenty epochs over all photos give 80 % at least. A shorter run promises less, and one over a handful of photos
# nothing. Guessing would give 10 %.

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
# Which mistakes does it make? Those of someone who looks at shapes and colours: cats and dogs, trucks and automobiles.

# %%
confusion = confusion_matrix(data.test_labels, predicted, classes=len(data.class_names))
mistakes = confusion * (1 - np.eye(len(confusion), dtype=int))
print("the commonest mistakes:")
for place in np.argsort(-mistakes, axis=None, kind="stable")[:5]:
    truth, answer = np.unravel_index(place, mistakes.shape)
    print(f"  {data.class_names[truth]} taken for {data.class_names[answer]}: {mistakes[truth, answer]} times")
