"""Draw the charts of `results/` again from their tables, after a change of `charts.py`; nothing is measured.

python benchmarks/redraw.py
"""

import argparse
import importlib
from pathlib import Path

import charts
from tables import RESULTS, read_rows

SCRIPTS = (
    "conv_algorithms", "input_pipeline", "parallel_scaling", "performance_steps", "scaling", "step_by_layer", "tricks",
    "tried", "versus",
)  # fmt: skip


def drawings(results):
    """(name, chart) of every table that a script wrote to the folder `results`, as `versus` or as `versus_avx2`."""
    for script in SCRIPTS:
        for path in sorted([*results.glob(f"{script}.csv"), *results.glob(f"{script}_*.csv")]):
            rows = [{key: number(text) for key, text in row.items()} for row in read_rows(path)]
            yield path.stem, importlib.import_module(script).draw(rows)


def number(text):
    """What a cell of a table was before it was written: a whole number, another number, or text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the tables are and the charts go")
    options = parser.parse_args()
    for name, drawing in drawings(options.results):
        charts.save(drawing, options.results / f"{name}.svg")
        print(options.results / f"{name}.svg")


if __name__ == "__main__":
    main()
