"""The page of a gradient check: the worst number of each array, its curve over the step, planted bugs."""

from dataclasses import dataclass, field

from minitorch_cnn.report.page import render, write_page
from minitorch_cnn.report.step_chart import draw_step_curve


@dataclass(frozen=True)
class GradientChecks:
    """What the page tells.

    Args:
        title, subtitle: what was checked.
        reports: the reports of `gradient_check(..., curves=True)`.
        bugs: `(title, symptom, source, report)` for each planted bug; a report without curves has no chart.
        commands, notes: as in `Run`.
        surveys: of `lessons.planted_survey`, one for each bug on many shapes.
    """

    title: str
    subtitle: str = ""
    reports: list = field(default_factory=list)
    bugs: list = field(default_factory=list)
    commands: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    surveys: list = field(default_factory=list)


def write_gradients_page(checks, path):
    """Write the page of `GradientChecks` as one HTML file; returns the path. CheckpointError where it cannot be."""
    return write_page(gradients_page(checks), path)


def gradients_page(checks):
    """The page of `GradientChecks` as HTML."""
    agree = sum(report.passed for report in checks.reports)
    facts = [("agree", f"{agree} of {len(checks.reports)}")] if checks.reports else []
    if checks.bugs:
        found = sum(not report.passed for *_, report in checks.bugs)
        facts.append(("planted bugs found", f"{found} of {len(checks.bugs)}"))
    if checks.surveys:
        found, shapes = (sum(getattr(row, name) for row in checks.surveys) for name in ("found", "shapes"))
        facts.append(("found on random shapes", f"{found:,} of {shapes:,}"))
        facts.append(("false alarms", str(sum(row.false_alarms for row in checks.surveys))))
    if checks.reports:
        facts.append(("numbers compared", f"{sum(report.checked for report in checks.reports):,}"))
        facts.append(("kinks met", str(sum(len(report.kinks) for report in checks.reports))))
    return render(
        "gradients.html",
        run=checks,
        facts=facts,
        checks=[piece(report) for report in checks.reports],
        bugs=[
            {
                "title": title,
                "symptom": symptom,
                "source": source,
                "check": piece(report) if hasattr(report, "worst") else None,
                "words": None if hasattr(report, "worst") else str(report),
            }
            for title, symptom, source, report in checks.bugs
        ],
    )


def piece(report):
    """Rows, charts and words of one report."""
    failing = {element.name for element in report.failures}
    rows = [row(element, "wrong" if element.name in failing else "agrees") for element in report.worst.values()]
    rows += [row(element, "a kink, no bug") for element in report.kinks]
    return {
        "title": report.subject,
        "passed": report.passed,
        "verdict": f"{'agrees' if report.passed else 'disagrees'}, {report.compared}",
        "rows": rows,
        "symptoms": [f"{name}: {words}" for name, words in report.symptoms.items()],
        "charts": [draw_step_curve(curve) for curve in report.curves.values()],
        "verdicts": [curve.verdict for curve in report.curves.values()],
    }


def row(element, verdict):
    """One number: its place, both values, their distance."""
    place = f"{element.name}[{', '.join(map(str, element.index))}]" if element.index else element.name
    values = (f"{value:+.6e}" for value in (element.backward, element.numerical))
    return dict(
        zip(("name", "backward", "numerical", "error", "verdict"), (place, *values, f"{element.error:.0e}", verdict))
    )
