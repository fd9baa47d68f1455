"""The images behind a confusion matrix: small pictures, cell by cell, within a limit of bytes."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from minitorch_cnn.files.printable import PAGE, printable
from minitorch_cnn.report.pictures import thumbnail_uri
from minitorch_cnn.report.run import Sample
from minitorch_cnn.report.svg import Drawing

MOST_BYTES = 160_000  # of all pictures together, as they stand in the page


def cell_images(samples: Sequence[Sample], confusion: np.ndarray, class_names: Sequence[str]) -> dict[str, Any] | None:
    """The pictures of `samples` by cell of the matrix `(C, C)`, or None without any that fits.

    They are taken in the order given until the page would become too large. The cells with the most mistakes come
    first, and those on the diagonal last. `counts` lists the cells that are not empty, "true,predicted,images".
    """
    place = {name: number for number, name in reversed(list(enumerate(class_names)))}
    cells: dict[tuple[int, int], list[dict[str, Any]]] = {}
    size = 0
    for sample in samples:
        if sample.truth not in place or sample.prediction not in place:
            continue
        uri = thumbnail_uri(sample.image)
        size += len(uri)
        if size > MOST_BYTES:
            break
        tile = {"uri": Drawing(uri), "percent": f"{100 * sample.probability:.0f}%"}
        cells.setdefault((place[sample.truth], place[sample.prediction]), []).append(tile)
    if not cells:
        return None
    order = sorted(cells, key=lambda cell: (cell[0] == cell[1], -confusion[cell]))
    groups = [
        {
            "cell": f"{truth},{predicted}",
            "truth": class_names[truth],
            "predicted": class_names[predicted],
            "tiles": cells[truth, predicted],
            "count": int(confusion[truth, predicted]),
        }
        for truth, predicted in order
    ]
    filled = zip(*(indices.tolist() for indices in np.nonzero(confusion)))
    return {
        "groups": groups,
        "shown": sum(len(tiles) for tiles in cells.values()),
        "names": json.dumps([printable(name, PAGE) for name in class_names]),
        "counts": " ".join(f"{truth},{predicted},{confusion[truth, predicted]}" for truth, predicted in filled),
    }
