"""Tables: printed, as Markdown, and as CSV files."""

import csv
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def print_table(headings, rows):
    """Print a table and an empty line; the first column is aligned to the left, the others to the right."""
    table = [headings, *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[at]) for row in table) for at in range(len(headings))]
    for first, *others in table:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:]))]
        print("  ".join(cells).rstrip())
    print(flush=True)


def markdown_table(headings, rows):
    """The same table in Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def write_in_page(path, name, text):
    """Replace what stands between the marks `<!-- name -->` and `<!-- end of name -->` of a page by `text`."""
    page = path.read_text(encoding="utf-8")
    before, found, rest = page.partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"<!-- end of {name} -->\n")
    if not found or not end:
        raise SystemExit(f"{path}: expected the marks <!-- {name} --> and <!-- end of {name} -->")
    path.write_text(f"{before}{found}\n{text}\n\n{end}{after}", encoding="utf-8")


def figures(value, digits=3):
    """`value` with so many significant figures, without an exponent if possible; "-" for None."""
    if value is None:
        return "-"
    if not 1e-4 <= abs(value) < 1e6:
        return f"{value:.{digits - 1}e}" if value else "0"
    whole = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    if whole >= digits:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}" if whole == 0 else f"{value:.{digits - whole}f}"


def read_rows(path):
    """The rows of a CSV file as dictionaries of text; none if the file does not exist."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path, rows):
    """Write rows, dictionaries with the same keys, to a CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def replace_rows(path, rows, keys):
    """Write `rows` to a CSV file in place of its rows with the same values of `keys`; its other rows stay."""
    replaced = {tuple(str(row[key]) for key in keys) for row in rows}
    columns = list(rows[0])
    kept = [row for row in read_rows(path) if list(row) == columns and tuple(row[key] for key in keys) not in replaced]
    write_rows(path, [*kept, *rows])
