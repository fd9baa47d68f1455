"""Drawings for notebooks, and pages that report a whole run in one HTML file.

Every `draw_...` function takes plain numbers and returns a `Drawing`, a string of SVG or HTML that a notebook displays
and a page includes; `draw_history` and `draw_schedule` return a list of them.

They are drawn here rather than by a plotting library, because most of them are drawings of networks, which no such
library has, and because all take the colours of the page around them, light or dark.
"""

from minitorch_cnn.report.architecture import draw_architecture
from minitorch_cnn.report.bars import draw_bars
from minitorch_cnn.report.confusion import draw_confusion, draw_mistakes
from minitorch_cnn.report.curves import Curve, draw_curves, draw_history, draw_schedule
from minitorch_cnn.report.depth_chart import draw_depth, draw_gradient_depth, draw_updates
from minitorch_cnn.report.feature_maps import draw_feature_maps, feature_map_grid
from minitorch_cnn.report.filter_change import draw_filter_change, filter_panels
from minitorch_cnn.report.gradients_page import GradientChecks, gradients_page, write_gradients_page
from minitorch_cnn.report.heat import heat_colours, overlay
from minitorch_cnn.report.im2col_drawing import draw_col2im, draw_im2col
from minitorch_cnn.report.keep_toss_add import draw_surgery
from minitorch_cnn.report.page import render, write_page
from minitorch_cnn.report.phases import draw_phases
from minitorch_cnn.report.pictures import draw_filters, filter_grid, photo_uri, picture_uri, png_uri
from minitorch_cnn.report.pool_drawing import draw_max_pool
from minitorch_cnn.report.run import LayerRow, Run, Sample
from minitorch_cnn.report.run_page import run_page, write_report
from minitorch_cnn.report.step_chart import draw_step_curve
from minitorch_cnn.report.step_page import StepPage, step_page, write_step_page
from minitorch_cnn.report.svg import Drawing
from minitorch_cnn.report.transfer import Explanation, Phase, TransferRun
from minitorch_cnn.report.transfer_page import transfer_page, write_transfer_report
from minitorch_cnn.report.winograd_drawing import draw_winograd_tile

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
