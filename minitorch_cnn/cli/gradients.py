"""`minitorch-cnn check-gradients`: backward passes compared with the definition of the derivative."""

import itertools
import textwrap
from pathlib import Path
from typing import Any

from minitorch_cnn.arrays.dispatch import DEFINITIONS_ONLY, what_runs
from minitorch_cnn.cli.arguments import add_definitions, positive_integer
from minitorch_cnn.files.outputs import file_to_write
from minitorch_cnn.files.printable import printable

WIDE, NAME = 58, 16  # columns of the table, which is at most 100 wide
HEAD = f"    {'layer':{WIDE}} {'numbers':>7} {'worst error':>11}  of"
CHECK_MIB = 3072  # that the check of an untrusted model may take: everything is in float64


def add_check_gradients(commands: Any) -> None:
    """Add the command to `commands`, the subparsers of argparse."""
    check = commands.add_parser(
        "check-gradients",
        help="compare every backward pass with the definition of the derivative",
        description="Compare backward passes with central differences in float64; exit code 1 where one disagrees."
        " It prints a table. For a layer that disagrees, and with --verbose for every layer, it also prints the number"
        " of each array that agrees least; --verbose adds its error over the step h in float32 and float64.",
    )
    check.add_argument("model", nargs="?", metavar="MODEL", help="as for summary; left out: every kind of layer")
    check.add_argument("--most", type=positive_integer, default=20, metavar="N", help="numbers of each array (20)")
    check.add_argument("--verbose", action="store_true", help="every array with its worst number, not only a table")
    check.add_argument("--brief", action="store_true", help="with --verbose: without the errors over the step")
    check.add_argument("--random", type=positive_integer, metavar="N", help="N layers on random shapes instead")
    check.add_argument(
        "--planted",
        action="store_true",
        help="bugs put in on purpose: each has to be found; with --random N, on N random shapes each",
    )
    add_definitions(check)
    check.add_argument("--page", metavar="FILE", help="write the charts and the gallery of bugs as a page")
    check.set_defaults(run=_check_gradients)


def _check_gradients(options):
    from minitorch_cnn.arrays.dispatch import missing_packages
    from minitorch_cnn.errors import ArgumentError

    if options.model is not None and (options.random is not None or options.planted):
        raise ArgumentError("check-gradients: expected MODEL alone, or --random and --planted, got both")
    page_file = file_to_write("--page", options.page, filter(None, [options.model])) if options.page else None
    if options.planted and options.random is not None:
        return _survey(options, page_file)
    reports = [] if options.planted else _reports(options)
    bugs = _planted(options) if options.planted or options.page else []
    wrong = [report.subject for report in reports if not report.passed]
    compiled = what_runs() != DEFINITIONS_ONLY and "numba" not in missing_packages()
    functions = _functions(compiled) if reports and not (options.model or options.random) else []
    missed = [title for title, *_, report in bugs if report.passed]
    if reports:
        end = f"; wrong: {', '.join(wrong)}" if wrong else ""
        which = "in their definitions and in their compiled twins" if compiled else "in their definitions"
        print(f"{len(reports) - len(wrong)} of {len(reports)} agree {which}{end}")
    if functions:
        faulty = [result.title for result in functions if not result.passed]
        end = f"; wrong: {', '.join(faulty)}" if faulty else ""
        print(f"{len(functions) - len(faulty)} of {len(functions)} functions agree with an independent version{end}")
        wrong += faulty
    if bugs:
        end = f"; missed: {', '.join(missed)}" if missed else ""
        print(f"{len(bugs) - len(missed)} of {len(bugs)} planted bugs found{end}")
    if page_file:
        from minitorch_cnn.report import GradientChecks, write_gradients_page

        again = [("The same again", _again(options))]
        subtitle = "Backward passes beside the definition of the derivative"
        checks = GradientChecks("Are the gradients right?", subtitle, reports, bugs, again)
        print(f"page: {printable(write_gradients_page(checks, page_file))}")
    return 1 if wrong or missed else 0


def _survey(options, page_file):
    """A table of how the check does with every bug on many shapes, and with layers that have none."""
    from minitorch_cnn.gradients.check import gradient_check
    from minitorch_cnn.gradients.gallery import random_layer
    from minitorch_cnn.lessons import planted_survey as survey

    surveys = []
    print("\n".join(survey.HEAD))
    for row in survey.surveys(options.random):
        surveys.append(row)
        print(survey.line(row), flush=True)
    reports = (
        gradient_check(layer, x, training=training) for layer, x, training in map(random_layer, range(options.random))
    )
    accused = [report.subject for report in reports if not report.passed]
    print("\n".join(survey.ending(surveys, options.random, accused)))
    if page_file:
        from minitorch_cnn.report import GradientChecks, write_gradients_page

        subtitle = "Bugs put in on purpose, on shapes drawn at random"
        checks = GradientChecks(
            "Does the gradient check find them?",
            subtitle,
            surveys=surveys,
            bugs=_planted(options),
            commands=[("The same again", _again(options))],
        )
        print(f"page: {printable(write_gradients_page(checks, page_file))}")
    return 0 if all(row.passed for row in surveys) and not accused else 1


def _reports(options):
    from minitorch_cnn.errors import ArgumentError, UserError
    from minitorch_cnn.gradients.check import failed, gradient_check
    from minitorch_cnn.gradients.gallery import every_layer, networks, random_layer
    from minitorch_cnn.network.cost import images_at_once
    from minitorch_cnn.runs.networks import named_model

    settings = {"most": options.most, "curves": bool(options.verbose or options.page) and not options.brief}
    reports = []
    model = None if options.model is None else named_model(options.model)
    if not options.verbose and options.random is None:
        print(HEAD)
    if model is not None:
        if Path(options.model).is_dir() and not images_at_once(model, step=True, dtype="float64", mib=CHECK_MIB):
            raise ArgumentError(f"{options.model}: the check would take more than {CHECK_MIB} MiB for an image")
        reports.append(gradient_check(model, **settings))
        _print(reports[-1], options.verbose, arrays=True)
        return reports
    cases = [*every_layer(), *networks()] if options.random is None else map(random_layer, range(options.random))
    for subject, x, training in cases:
        try:
            reports.append(gradient_check(subject, x, training=training, **settings))
        except UserError:
            raise
        except Exception as error:  # an edit that cannot run is wrong as well, and the others are still to be checked
            reports.append(failed(repr(subject), error))
        if options.random is None or options.verbose or not reports[-1].passed:
            _print(reports[-1], options.verbose)
    return reports


def _print(report, verbose, arrays=False):
    """A row of the table, or of `arrays` a row for each; in full if it disagrees or everything is asked for."""
    if verbose or not report.passed or not report.worst:
        print(report, flush=True)
        return
    errors = {name: element.error for name, element in report.worst.items()}
    worst = max(errors, key=lambda name: errors[name])
    for name in errors if arrays else [worst]:
        subject = name if arrays else report.subject
        count = "" if arrays and name != next(iter(errors)) else f"{report.checked}"
        numbers = f"{count:>7} {errors[name]:>11.1e}"
        mark, columns = "ok", (textwrap.wrap(subject, WIDE), textwrap.wrap("" if arrays else name, NAME))
        for left, right in itertools.zip_longest(*columns, fillvalue=""):  # long names go on in the next line
            print(f"{mark:4}{left:{WIDE}} {numbers:19}  {right}".rstrip(), flush=True)
            mark, numbers = "", ""


def _functions(twins: bool) -> list:
    """Every definition beside an independent version, and its twin too; what does not agree is printed."""
    from minitorch_cnn.gradients.plain import compare_plain
    from minitorch_cnn.gradients.twins import compare_twins

    results = []
    for result in (*(compare_twins() if twins else ()), *compare_plain()):
        results.append(result)
        if not result.passed or result.changed:
            print(result, flush=True)
    return results


def _planted(options):
    """[(title, symptom, source, report)] of the gallery; each is printed unless a page is what was asked for."""
    import numpy as np

    from minitorch_cnn.arrays import definitions_only
    from minitorch_cnn.lessons.planted_bugs import PLANTED_BUGS

    found = []
    with definitions_only():
        for bug in PLANTED_BUGS:
            report = bug.found(np.random.default_rng(0), curves=not options.brief)
            found.append((bug.title, bug.symptom, bug.source, report))
            if options.planted and options.random is None:
                print("MISSED" if report.passed else "found", f"{bug.title}\n  {bug.symptom}\n{report}\n", flush=True)
    return found


def _again(options):
    parts = ["minitorch-cnn check-gradients", options.model, options.planted and "--planted"]
    parts += [f"--random {options.random}" if options.random else None, f"--most {options.most}"]
    return " ".join(part for part in [*parts, f"--page {options.page}"] if part)
