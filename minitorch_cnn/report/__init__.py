"""Pictures and pages of what a network did: drawings for notebooks, and one HTML file for a whole run.

Every `draw_...` function takes plain numbers and returns a string of SVG or HTML, for a notebook to show or a page to
hold; `draw_history` and `draw_schedule` return a list of them.
"""

from .architecture import draw_architecture
from .bars import draw_bars
from .confusion import draw_confusion, draw_mistakes
from .curves import Curve, draw_curves, draw_history, draw_schedule
from .page import render, write_page
from .pictures import draw_filters, filter_grid, photo_uri, picture_uri, png_uri
from .run import LayerRow, Run, Sample
from .run_page import run_page, write_report
from .svg import Drawing

__all__ = [
    "Curve",
    "Drawing",
    "LayerRow",
    "Run",
    "Sample",
    "draw_architecture",
    "draw_bars",
    "draw_confusion",
    "draw_curves",
    "draw_filters",
    "draw_history",
    "draw_mistakes",
    "draw_schedule",
    "filter_grid",
    "photo_uri",
    "picture_uri",
    "png_uri",
    "render",
    "run_page",
    "write_page",
    "write_report",
]
