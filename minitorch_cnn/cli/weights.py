"""`minitorch-cnn weights`: fetch published weights, or say what is in a Keras weight file."""

from minitorch_cnn.cli.arguments import named_model


def add_weights(commands):
    """Put the command beside the others."""
    weights = commands.add_parser(
        "weights",
        help="fetch published weights, or say what is in a Keras weight file",
        description="Fetch published weights, or say what is in a Keras weight file.",
    )
    actions = weights.add_subparsers(title="actions", required=True, metavar="ACTION")
    fetch = actions.add_parser(
        "fetch",
        help="download published weights once and check them",
        description="Download published weights, unless they are there already; check their MD5; print where they are.",
    )
    fetch.add_argument("model", metavar="MODEL", help="vgg16: trained on ImageNet, 553 MB")
    fetch.add_argument("--no-top", action="store_true", help="without the dense layers: 59 MB, for any image size")
    fetch.add_argument("--out", metavar="DIR", help="where to keep the file; left out: the cache folder")
    fetch.add_argument("--quiet", action="store_true", help="only the path")
    fetch.set_defaults(run=_fetch_weights)
    inspect = actions.add_parser(
        "inspect",
        help="which dialect a weight file is written in, which layers it holds, what fits a network",
        description="Say what a Keras weight file holds. With --model also what goes where; exit code 1 where it does"
        " not fit.",
    )
    inspect.add_argument("file", metavar="FILE", help=".h5, .weights.h5 or .keras")
    inspect.add_argument("--model", metavar="MODEL", help="compare with this network: as for summary")
    inspect.set_defaults(run=_inspect_weights)


def _fetch_weights(options):
    from minitorch_cnn.models import weight_files

    print(weight_files.fetch(options.model, not options.no_top, options.out, progress=not options.quiet))


def _inspect_weights(options):
    from minitorch_cnn import keras_h5

    report = keras_h5.inspect(options.file, None if options.model is None else named_model(options.model))
    print(report)
    return 1 if report.fits is False else 0
