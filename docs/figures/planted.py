"""The data of the figure of planted bugs: for each, a gradient as it should be, as it is, and what the check says."""

import numpy as np

from minitorch_cnn.lessons.planted_bugs import PLANTED_BUGS
from minitorch_cnn.report.grids import draw_grid, figures
from minitorch_cnn.report.svg import picture

TRIALS, WIDEST = 4, 8  # shapes drawn for each bug, of which the largest that fits is shown


def planted():
    """(data, still picture, words) of all planted bugs."""
    bugs = [case(bug) for bug in PLANTED_BUGS]
    words = (
        "Pick a bug: the gradient as it should be, the gradient with the bug, and the difference, on a random"
        " shape. Below is what the gradient check says of it."
    )
    first = bugs[1]
    size, step = (first["rows"], first["columns"]), 36 * first["columns"] + 30
    parts = [
        draw_grid(np.reshape(first[name], size), place * step, 24, 36, text=figures, title=title)
        for place, (name, title) in enumerate((("right", "dx, right"), ("wrong", f"with the bug: {first['title']}")))
    ]
    still = picture(72 * first["columns"] + 200, 36 * first["rows"] + 30, *parts, description=words)
    return {"bugs": bugs}, still, words


def case(bug):
    """One bug on the largest of some random shapes: where it shows most."""
    found = []
    for seed in range(TRIALS):
        trial, _ = bug.shown(np.random.default_rng(seed))
        wrong, right = trial.computes(bug.planted), trial.computes(bug.correct)
        apart = {name: np.abs(wrong[name] - right[name]) for name in right if right[name].shape == wrong[name].shape}
        name = max(apart, key=lambda one: apart[one].max(initial=0) / max(np.abs(right[one]).max(initial=0), 1e-12))
        shown = matrix(name, right[name], apart[name])
        if shown.shape[0] <= WIDEST and shown.shape[1] <= WIDEST:
            found.append((shown.size, -seed, trial, name, shown, matrix(name, wrong[name], apart[name])))
    _, _, trial, name, right, wrong = max(found, key=lambda one: one[:2])
    report = trial.check(bug.planted)
    symptoms = getattr(report, "symptoms", None)
    verdict = " ".join(f"{where}: {words}" for where, words in symptoms.items()) if symptoms else str(report)
    title = {"input": "dx"}.get(str(name), f"gradient of {name}" if isinstance(name, str) else "the weights")
    return {"title": bug.title, "symptom": bug.symptom, "array": title, "rows": right.shape[0],
            "columns": right.shape[1], "right": right.ravel(), "wrong": wrong.ravel(), "verdict": verdict}  # fmt: skip


def matrix(name, values, apart):
    """A matrix of `values`: of four axes, that of the image and channel, or of the filter, where `apart` is largest."""
    place = np.unravel_index(apart.argmax(), apart.shape)
    if values.ndim == 4:
        return values[:, :, place[2], place[3]] if name == "kernel" else values[place[0], :, :, place[3]]
    return values.reshape(-1, values.shape[-1]) if values.ndim else values.reshape(1, 1)
