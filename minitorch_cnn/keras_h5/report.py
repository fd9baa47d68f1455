"""The page on a weight file: a line on what it is, a table of its layers, and whether it fits the model."""

from __future__ import annotations

from dataclasses import dataclass, field

from minitorch_cnn.keras_h5.hdf5.text import shown
from minitorch_cnn.keras_h5.mapping import LayerPlan
from minitorch_cnn.keras_h5.stored import StoredFile, StoredLayer, StoredWeight
from minitorch_cnn.keras_h5.target import shape_text
from minitorch_cnn.keras_h5.weight_names import keras_1_backend

MOST_WEIGHTS_SHOWN = 8  # of one layer
MOST_LINES = 20  # of one list below the table
WIDEST_COLUMN = 80

MEANING = (
    "before, after: fingerprints (first digits of a SHA-256) of the model's weights without the file's and with them"
)
INITIAL = "; initial: random numbers that were not drawn yet"


@dataclass
class LayerReport:
    """One layer of the file.

    Its weights in words; the name of the model's layer it goes to, or why to none, and what is done on the way there;
    the fingerprint of its weights in our layout, and the one that the model's layer had before.
    """

    name: str
    weights: str
    goes_to: str = ""
    before: str = ""
    fingerprint: str = ""
    steps: str = ""


@dataclass
class Report:
    """What a file holds; `str(report)` is the page to read, the fields are for programs.

    `size` is the file's, in bytes, `numbers` how many there are in its weights. `fits` is whether `load` would succeed,
    None if there was no model to compare with; `problems` is why not. `taken` are the model's layers that get their
    weights from the file, `missing` those that would keep the weights they have.
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
            f"{self.path}: {self.dialect}",
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
        """The table's cells; its columns depend on whether there is a model, and on whether its weights are known."""
        if self.fits is None:
            head, cells = ("layer in the file", "weights", "fingerprint"), lambda row: (row.fingerprint,)
        elif any(row.before for row in self.layers):
            head = ("layer in the file", "weights", "goes to", "before", "after", "")
            cells = lambda row: (row.goes_to, row.before, row.fingerprint, row.steps)  # noqa: E731
        else:
            head = ("layer in the file", "weights", "goes to", "fingerprint", "")
            cells = lambda row: (row.goes_to, row.fingerprint, row.steps)  # noqa: E731
        return [head, *((row.name, row.weights, *cells(row)) for row in self.layers)]

    def _verdict(self) -> list[str]:
        """Whether the file fits, and what of it."""
        if self.fits is None:
            return []
        wanted = counted(len(self.taken) + len(self.missing), "layer")
        verdict = "fits the model" if self.fits else "does not fit the model"
        if self.missing:
            some = f"{len(self.taken)} of its {wanted} with weights {'get' if self.fits else 'would get'} them"
            lines = [f"{verdict}: {some}, not {_listed(self.missing)}"]
        else:
            gets = ": all of its {} with weights get them" if self.fits else ", though all of its {} would get weights"
            lines = [verdict + gets.format(wanted)]
        lines += [f"  {problem}" for problem in _first(self.problems)]
        before = {row.before for row in self.layers if row.before}
        return lines + ([MEANING + (INITIAL if "initial" in before else "")] if before else [])


def goes_to(partner: LayerPlan | None) -> tuple[str, str]:
    """The model's layer that a layer of the file goes to, or why it goes to none; and what is done on the way."""
    if partner is None:
        return "not used", ""
    if partner.problem is not None:
        return f"does not fit {partner.target.name}", ""
    steps = sorted({str(source.layout) for source in partner.sources.values()} - {""})
    return partner.target.name, "; ".join(steps)


def weights_text(layer: StoredLayer) -> str:
    """A layer's weights: `kernel 3x3x3x64, bias 64`."""
    texts = [_weight_text(weight) for weight in layer.weights[:MOST_WEIGHTS_SHOWN]]
    more = len(layer.weights) - len(texts)
    return ", ".join([*texts, f"and {more:,} more"] if more else texts) or "(none)"


def writer(stored: StoredFile) -> str:
    """Which Keras wrote the file, and on which backend, as far as it says so or shows it."""
    if stored.keras_version is not None or stored.backend is not None:
        version = f"Keras {shown(stored.keras_version)}" if stored.keras_version else "Keras"
        return version + (f", backend {shown(stored.backend)}" if stored.backend else "")
    if stored.keras == 1:
        backends = {keras_1_backend(weight.name) for layer in stored.weighted() for weight in layer.weights}
        name = {"tensorflow": "TensorFlow", "theano": "Theano"}.get(backends.pop() if len(backends) == 1 else None)
        if name:
            return f"{stored.era} on {name}, as the names of its weights show; the file does not say more"
    return f"{stored.era}; the file does not say more"


def counted(count: int, what: str) -> str:
    """`1 layer`, `13 layers`."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def _weight_text(weight: StoredWeight) -> str:
    name = weight.role or shown(weight.name.rsplit("/", 1)[-1])
    if weight.problem is not None:
        return f"{name}: {weight.problem}"
    kind = "" if weight.type_name == "float32" else f" {weight.type_name}"
    return f"{name} {shape_text(weight.shape)}{kind}"


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    """The rows as lines; a cell that is very long does not make all others as wide."""
    widths = [min(WIDEST_COLUMN, max(len(cell) for cell in column)) for column in zip(*rows)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def _first(lines: list[str]) -> list[str]:
    more = len(lines) - MOST_LINES
    return lines if more <= 0 else [*lines[:MOST_LINES], f"... and {more:,} more"]


def _listed(names: list[str]) -> str:
    more = len(names) - MOST_WEIGHTS_SHOWN
    return ", ".join(names if more <= 0 else [*names[:MOST_WEIGHTS_SHOWN], f"and {more:,} more"])
