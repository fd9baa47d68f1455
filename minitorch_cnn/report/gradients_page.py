"""Builds the page of a gradient check: the worst number of each array, its error over the step, and planted bugs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minitorch_cnn.gradients.check import Report
from minitorch_cnn.gradients.compare import Element
from minitorch_cnn.lessons.planted_survey import Survey
from minitorch_cnn.report.page import render, write_page
from minitorch_cnn.report.step_chart import draw_step_curve


@dataclass(frozen=True)
class GradientChecks:
    """The contents of the page."""

    title: str  # what was checked
    subtitle: str = ""
    reports: Sequence[Report] = ()  # of `gradient_check(..., curves=True)`
    bugs: Sequence[tuple[str, str, str, Any]] = ()  # (title, symptom, source, report) of each planted bug
    commands: Sequence[tuple[str, str]] = ()  # as in `Run`
    notes: Sequence[str] = ()  # as in `Run`
    surveys: Sequence[Survey] = ()  # one for each bug on many shapes


def write_gradients_page(checks: GradientChecks, path: str | Path) -> Path:
    """Writes the page as one HTML file and returns its path; raises CheckpointError when it cannot be written."""
    return write_page(gradients_page(checks), path)


def gradients_page(checks: GradientChecks) -> str:
    """The page as HTML."""
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
        facts.append(("kinks found", str(sum(len(report.kinks) for report in checks.reports))))
    return render(
        "gradients.html",
        run=checks,
        facts=facts,
        checks=[report_values(report) for report in checks.reports],
        bugs=[
            {
                "title": title,
                "symptom": symptom,
                "source": source,
                "check": report_values(report) if hasattr(report, "worst") else None,
                "words": None if hasattr(report, "worst") else str(report),
            }
            for title, symptom, source, report in checks.bugs
        ],
    )


def report_values(report: Report) -> dict[str, Any]:
    """The rows, charts and verdicts of one report."""
    failing = {element.name for element in report.failures}
    rows = [row(element, "wrong" if element.name in failing else "agrees") for element in report.worst.values()]
    rows += [row(element, "a kink, not a bug") for element in report.kinks]
    return {
        "title": report.subject,
        "passed": report.passed,
        "verdict": f"{'agrees' if report.passed else 'disagrees'}, {report.compared}",
        "rows": rows,
        "symptoms": [f"{name}: {words}" for name, words in report.symptoms.items()],
        "charts": [draw_step_curve(curve) for curve in report.curves.values()],
        "verdicts": [curve.verdict for curve in report.curves.values()],
    }


def row(element: Element, verdict: str) -> dict[str, str]:
    """The cells for one number: its position, both values, the error and the verdict."""
    place = f"{element.name}[{', '.join(map(str, element.index))}]" if element.index else element.name
    values = (f"{value:+.6e}" for value in (element.backward, element.numerical))
    return dict(
        zip(("name", "backward", "numerical", "error", "verdict"), (place, *values, f"{element.error:.0e}", verdict))
    )
