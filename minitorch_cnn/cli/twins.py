"""`minitorch-cnn twins`: check that the fast twins compute what the definitions say."""

from __future__ import annotations

import argparse


def add_twins(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    twins = commands.add_parser(
        "twins",
        help="compare every definition with its compiled twin, function by function",
        description="Compare every definition and its twin with an independent version in plain Python; exit code 1 if"
        " one is wrong. A twin runs only while its definition is as recorded.",
    )
    twins.add_argument("--record", action="store_true", help="record what the definitions say, if all agree")
    twins.set_defaults(run=_twins)


def _twins(options: argparse.Namespace) -> int:
    from minitorch_cnn.errors import require
    from minitorch_cnn.gradients.twins import compare_twins, record, stale

    require("numba", "comparing the compiled twins with their definitions")
    wrong = []
    for result in compare_twins():
        print(result, flush=True)
        wrong += [] if result.passed else [result.title]
    if options.record and not wrong:
        record(checked=True)
        print("recorded: every twin stands for its definition as it is now")
    elif outdated := stale():
        print(f"not as recorded, so the definition runs instead: {', '.join(outdated)}")
    return 1 if wrong else 0
