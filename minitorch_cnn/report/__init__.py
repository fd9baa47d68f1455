"""Pictures and pages of what a network did: drawings for notebooks, and one HTML file for a whole run.

Every `draw_...` function takes plain numbers and returns a string of SVG or HTML, for a notebook to show or a page to
hold; `draw_history` and `draw_schedule` return a list of them.
"""

from .architecture import draw_architecture
from .bars import draw_bars
from .confusion import draw_confusion, draw_mistakes
from .curves import Curve, draw_curves, draw_history, draw_schedule
from .depth_chart import draw_depth, draw_gradient_depth, draw_updates
from .feature_maps import draw_feature_maps, feature_map_grid
from .filter_change import draw_filter_change, filter_panels
from .gradients_page import GradientChecks, gradients_page, write_gradients_page
from .heat import heat_colours, overlay
from .im2col_drawing import draw_col2im, draw_im2col
from .keep_toss_add import draw_surgery
from .page import render, write_page
from .phases import draw_phases
from .pictures import draw_filters, filter_grid, photo_uri, picture_uri, png_uri
from .pool_drawing import draw_max_pool
from .run import LayerRow, Run, Sample
from .run_page import run_page, write_report
from .step_chart import draw_step_curve
from .step_page import StepPage, step_page, write_step_page
from .svg import Drawing
from .transfer import Explanation, Phase, TransferRun
from .transfer_page import transfer_page, write_transfer_report
from .winograd_drawing import draw_winograd_tile

__all__ = [
    "Curve",
    "Drawing",
    "Explanation",
    "GradientChecks",
    "LayerRow",
    "Phase",
    "Run",
    "Sample",
    "StepPage",
    "TransferRun",
    "draw_architecture",
    "draw_bars",
    "draw_col2im",
    "draw_confusion",
    "draw_curves",
    "draw_depth",
    "draw_feature_maps",
    "draw_filter_change",
    "draw_filters",
    "draw_gradient_depth",
    "draw_history",
    "draw_im2col",
    "draw_max_pool",
    "draw_mistakes",
    "draw_phases",
    "draw_schedule",
    "draw_step_curve",
    "draw_surgery",
    "draw_updates",
    "draw_winograd_tile",
    "feature_map_grid",
    "filter_grid",
    "filter_panels",
    "gradients_page",
    "heat_colours",
    "overlay",
    "photo_uri",
    "picture_uri",
    "png_uri",
    "render",
    "run_page",
    "step_page",
    "transfer_page",
    "write_gradients_page",
    "write_page",
    "write_report",
    "write_step_page",
    "write_transfer_report",
]
