# %% [markdown]
# # A network that reads digits
#
# Can the slides' CIFAR-10 ConvNet learn to read? It is trained from scratch on the 1,347 handwritten digits that come
# with the package, and tested on 450 others: `python examples/02_digits.py [--epochs N] [--report FILE]`. This takes
# less than a minute on two cores.

# %%
import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from minitorch_cnn.metrics import confusion_matrix
from minitorch_cnn.preprocessing import Standardize

from minitorch_cnn import datasets, losses, models, optimizers, report, schedules
from minitorch_cnn.report.training_page import first_filters, layer_rows, samples

parser = argparse.ArgumentParser(description="Train the slides' ConvNet on handwritten digits.")
parser.add_argument("--epochs", type=int, default=12, help="passes over the training images (12)")
parser.add_argument("--report", type=Path, metavar="FILE", help="where to write the page (a temporary folder)")
options = parser.parse_args([] if "kernel_launcher" in sys.argv[0] else None)  # a notebook has no command line
if options.epochs < 1:
    parser.error("expected at least one epoch")

# %% [markdown]
# ## The data
#
# Pixels are integers from 0 to 255. A network learns best from numbers around zero, so the model subtracts the mean of
# the training images and divides by their standard deviation. This is part of the model, so nobody can forget it when
# predicting. Mean and deviation are computed from the training images alone, so nothing is learned from the test
# images.

# %%
data = datasets.digits()
print(data)
model = models.cifar10(dropout=True, seed=0, preprocessing=Standardize.of(data.train_images))
model.summary(batch_size=64)

# %% [markdown]
# ## Training
#
# * Augmentation: in each epoch every digit is randomly shifted, rotated and zoomed a little. It is still the same
#   digit, but never the same picture again, so the network cannot memorise pictures.
# * Dropout serves the same purpose: in each step a random part of the numbers between layers is set to zero.
# * One cycle: the learning rate starts low, rises to 0.02, where the network learns fast but unsteadily, and falls to
#   nearly zero, where the accuracy settles.

# %%
BATCH_SIZE = 64
steps = options.epochs * -(-len(data.train_images) // BATCH_SIZE)  # batches an epoch, the last one smaller
optimizer = optimizers.SGD(schedules.OneCycle(0.02, steps), momentum=0.9, nesterov=True, weight_decay=5e-4)
untrained = model.evaluate(data.test_images, data.test_labels)
history = model.fit(
    data.train_images,
    data.train_labels,
    loss=losses.CrossEntropy(),
    optimizer=optimizer,
    epochs=options.epochs,
    batch_size=BATCH_SIZE,
    validation=(data.test_images, data.test_labels),
    augment=datasets.Augmentation(shift=0.08, rotate=8.0, zoom=0.08),
)

# %% [markdown]
# ## How good is it?
#
# The test images were used neither for training nor for choosing an epoch, so this accuracy is fair. Before training
# the network could only guess, and one guess in ten is right. With fewer than twelve epochs we claim less.

# %%
probabilities = model.predict(data.test_images)  # (450, 10)
predicted = probabilities.argmax(axis=1)
accuracy = np.mean(predicted == data.test_labels)
print(f"test accuracy {accuracy:.4f}, before training {untrained['accuracy']:.4f}")
claimed = 0.98 if options.epochs >= 12 else 0.95 if options.epochs >= 6 else 0.0
assert accuracy >= claimed, f"expected at least {claimed} after {options.epochs} epochs, got {accuracy:.4f}"
assert np.isclose(accuracy, history["val_accuracy"][-1])

# %% [markdown]
# The confusion matrix has a row for each true digit and a column for each answer. The mistakes are off the diagonal.
# Those that the network was surest of tell the most about what it has learned.

# %%
confusion = confusion_matrix(data.test_labels, predicted, classes=10)
assert confusion.trace() == np.sum(predicted == data.test_labels) and confusion.sum() == len(predicted)
print("rows: true digit, columns: answer")
print(confusion)

confidence = probabilities.max(axis=1)
mistakes = np.flatnonzero(predicted != data.test_labels)
for i in sorted(mistakes, key=lambda i: -confidence[i])[:5]:
    truth, answer = data.class_names[data.test_labels[i]], data.class_names[predicted[i]]
    print(f"test image {i}: a {truth}, read as {answer} with probability {confidence[i]:.2f}")

# %% [markdown]
# ## The page of the run
#
# A single HTML file shows the network, the curves, the confusion matrix and the images.

# %%
run = report.Run(
    title="Handwritten digits",
    subtitle=str(data),
    commands=[("Train it again", f"python examples/02_digits.py --epochs {options.epochs}")],
    facts=[("test accuracy", f"{accuracy:.2%}"), ("epochs", options.epochs)],
    layers=layer_rows(model),
    input_shape=model.input_shape,
    history=history,
    class_names=data.class_names,
    confusion=confusion,
    samples=samples(data.test_images, data.test_labels, probabilities, data.class_names),
    filters=first_filters(model),
)
page = options.report or Path(tempfile.mkdtemp(prefix="digits-")) / "report.html"
print(f"report: {report.write_report(run, page)}")

# %% [markdown]
# ## Freezing
#
# Two lines let the convolutions keep their weights while the layers above continue to learn, as one does with a network
# that somebody else has trained. The backward pass stops at the lowest trained layer, and the frozen weights stay the
# same to the last bit.

# %%
before = {layer: np.array(model.get_layer(layer).parameters["kernel"]) for layer in ("conv2d_1", "conv2d_4", "dense_1")}
model.freeze(through="max_pool2d_2")
model.train_step(data.train_images[:64], data.train_labels[:64], losses.CrossEntropy(), optimizers.SGD(0.001))
same = {layer: np.array_equal(model.get_layer(layer).parameters["kernel"], kernel) for layer, kernel in before.items()}
assert same == {"conv2d_1": True, "conv2d_4": True, "dense_1": False}
model.summary(batch_size=64)
