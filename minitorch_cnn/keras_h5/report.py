"""The report on a weight file: what it is, a table of its layers, and whether it fits the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from minitorch_cnn.files.printable import counted, printable
from minitorch_cnn.keras_h5.hdf5.text import shown
from minitorch_cnn.keras_h5.mapping import LayerPlan
from minitorch_cnn.keras_h5.stored import StoredFile, StoredLayer, StoredWeight
from minitorch_cnn.keras_h5.target import shape_text
from minitorch_cnn.keras_h5.weight_names import keras_1_backend

MOST_WEIGHTS_SHOWN = 8  # of one layer
MOST_LINES = 20  # of one list below the table
WIDEST_COLUMN = 80

MEANING = (
    "before, after: fingerprints (first digits of a SHA-256) of the model's weights before and after loading the file"
)
INITIAL = "; initial: random weights that have not been drawn yet"


@dataclass
class LayerReport:
    """One layer of the file.

    `weights` lists its weights with their shapes; `goes_to` names the model's layer that it belongs to, or says why
    there is none, and `steps` the conversions on loading; `fingerprint` is that of its weights in our layout, and
    `before` that of the model's layer before loading; `described` is what the file's description of the model says.
    """

    name: str
    weights: str
    goes_to: str = ""
    before: str = ""
    fingerprint: str = ""
    steps: str = ""
    described: str = ""


@dataclass
class Report:
    """What a file contains: `str(report)` for people, the fields for programs.

    `size` is the file's size in bytes, `numbers` the count of numbers in its weights. `fits` is whether `load` would
    succeed, None if there was no model to compare with; `problems` says why not. `taken` are the model's layers that
    get their weights from the file, `missing` those that would keep their current weights.
    """

    path: str
    size: int
    dialect: str
    writer: str
    layers: list[LayerReport]
    numbers: int = 0
    fits: bool | None = None
    problems: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        weighted = sum(bool(layer.fingerprint) for layer in self.layers)
        lines = [
            f"{printable(self.path)}: {self.dialect}",
            f"written by {self.writer}",
            f"{counted(weighted, 'layer')} with weights, {self.numbers:,} numbers in {self.size:,} bytes",
            "",
            *_table(self._rows()),
            "",
            *self._verdict(),
        ]
        lines += [f"note: {note}" for note in _first(self.notes)]
        return "\n".join(lines).rstrip()

    def _rows(self) -> list[tuple[str, ...]]:
        """The table's cells; the columns depend on whether a model was given, and on whether with weights."""
        head: tuple[str, ...]
        cells: Callable[[LayerReport], tuple[str, ...]]
        if self.fits is None:
            head, cells = ("layer in the file", "weights", "fingerprint"), lambda row: (row.fingerprint,)
        elif any(row.before for row in self.layers):
            head = ("layer in the file", "weights", "goes to", "before", "after", "")
            cells = lambda row: (row.goes_to, row.before, row.fingerprint, row.steps)  # noqa: E731
        else:
            head = ("layer in the file", "weights", "goes to", "fingerprint", "")
            cells = lambda row: (row.goes_to, row.fingerprint, row.steps)  # noqa: E731
        rows = [(row.name, row.weights, *cells(row)) for row in self.layers]
        if not any(row.described for row in self.layers):
            return [head, *rows]
        described = [row.described for row in self.layers]
        head = (*head[:2], "described as", *head[2:])
        return [head, *((*row[:2], text, *row[2:]) for row, text in zip(rows, described))]

    def _verdict(self) -> list[str]:
        """The lines that say whether the file fits, and for which layers of the model it has weights."""
        if self.fits is None:
            return []
        wanted = counted(len(self.taken) + len(self.missing), "layer")
        verdict = "fits the model" if self.fits else "does not fit the model"
        if self.missing:
            some = f"matching arrays for {len(self.taken)} of its {wanted} with weights"
            lines = [f"{verdict}: {some}, not for {_listed(self.missing)}"]
        else:
            joined = ": " if self.fits else ", despite "
            lines = [f"{verdict}{joined}matching arrays for all of its {wanted} with weights"]
        lines += [f"  {problem}" for problem in _first(self.problems)]
        before = {row.before for row in self.layers if row.before}
        return lines + ([MEANING + (INITIAL if "initial" in before else "")] if before else [])


def goes_to(partner: LayerPlan | None) -> tuple[str, str]:
    """The model's layer that a layer of the file belongs to, or why there is none, and the conversions."""
    if partner is None:
        return "not used", ""
    if partner.problem is not None:
        return f"does not fit {partner.target.name}", ""
    steps = sorted({str(source.layout) for source in partner.sources.values()} - {""})
    return partner.target.name, "; ".join(steps)


def weights_text(layer: StoredLayer) -> str:
    """A layer's weights with their shapes: `kernel 3x3x3x64, bias 64`."""
    texts = [_weight_text(weight) for weight in layer.weights[:MOST_WEIGHTS_SHOWN]]
    more = len(layer.weights) - len(texts)
    return ", ".join([*texts, f"and {more:,} more"] if more else texts) or "(none)"


def writer(stored: StoredFile) -> str:
    """Which Keras wrote the file and on which backend, as far as the file tells."""
    if stored.keras_version is not None or stored.backend is not None:
        version = f"Keras {shown(stored.keras_version)}" if stored.keras_version else "Keras"
        return version + (f", backend {shown(stored.backend)}" if stored.backend else "")
    if stored.keras == 1:
        backends = {keras_1_backend(weight.name) for layer in stored.weighted() for weight in layer.weights}
        names: dict[str | None, str] = {"tensorflow": "TensorFlow", "theano": "Theano"}
        name = names.get(backends.pop() if len(backends) == 1 else None)
        if name:
            return f"{stored.era} on {name}, judging by the names of its weights; the file states no version"
    return f"{stored.era}; the file states no version"


def _weight_text(weight: StoredWeight) -> str:
    name = weight.role or shown(weight.name.rsplit("/", 1)[-1])
    if weight.problem is not None:
        return f"{name}: {weight.problem}"
    kind = "" if weight.type_name == "float32" else f" {weight.type_name}"
    return f"{name} {shape_text(weight.shape)}{kind}"


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    """The rows as aligned lines; a very long cell does not widen its whole column."""
    widths = [min(WIDEST_COLUMN, max(len(cell) for cell in column)) for column in zip(*rows)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def _first(lines: list[str]) -> list[str]:
    more = len(lines) - MOST_LINES
    return lines if more <= 0 else [*lines[:MOST_LINES], f"... and {more:,} more"]


def _listed(names: list[str]) -> str:
    more = len(names) - MOST_WEIGHTS_SHOWN
    return ", ".join(names if more <= 0 else [*names[:MOST_WEIGHTS_SHOWN], f"and {more:,} more"])
