"""`minitorch-cnn predict`: name what is in an image."""

from minitorch_cnn.files.printable import printable


def add_predict(commands):
    """Put the command beside the others."""
    predict = commands.add_parser("predict", help="name what is in an image", description="Name what is in an image.")
    predict.add_argument("run_folder", metavar="RUN", help="the folder of a finished run")
    predict.add_argument("images", nargs="+", metavar="IMAGE", help="image files; scaled to the network's size")
    predict.set_defaults(run=_predict)


def _predict(options):
    import numpy as np

    from minitorch_cnn.datasets import load_image
    from minitorch_cnn.engine.metrics import class_probabilities
    from minitorch_cnn.runs import RunFolder

    model, names = RunFolder(options.run_folder).load_model()
    height, width = model.input_shape[:2]
    images = np.stack([load_image(path, height, width) for path in options.images])
    for path, probabilities in zip(options.images, class_probabilities(model.predict(images))):
        best = int(probabilities.argmax())
        label = f"{printable(path)}: " if len(options.images) > 1 else ""
        print(f"{label}{printable(names[best])}, {probabilities[best]:.2f}")
