"""`minitorch-cnn summary`: shapes, parameters and memory of a network."""

from minitorch_cnn.cli.arguments import NETWORKS, named_model, positive_integer


def add_summary(commands):
    """Put the command beside the others."""
    summary = commands.add_parser(
        "summary", help="shapes, parameters and memory of a network", description="Shapes, parameters and memory."
    )
    summary.add_argument("model", metavar="MODEL", help=f"{', '.join(NETWORKS)}, or a run folder")
    summary.add_argument("--batch-size", type=positive_integer, default=32, metavar="N", help="memory for N (32)")
    summary.set_defaults(run=_summary)


def _summary(options):
    named_model(options.model).summary(options.batch_size)
