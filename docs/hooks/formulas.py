"""Formulas in LaTeX become MathML when the site is built, which browsers show without a script or the network."""

import html
import re

from latex2mathml.converter import convert

FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)
PAUSE = re.compile(r"\\q?quad(?![A-Za-z])")  # between formulas that stand below each other where it is narrow


def to_mathml(page):
    """The page's HTML with each formula as MathML; ValueError for one that is not understood."""
    return FORMULA.sub(_formula, page)


def _formula(match):
    latex = html.unescape(match[3]).strip()
    block = match[2] == "["
    parts = PAUSE.split(latex) if block else [latex]
    try:
        mathml = "".join(convert(part, display="block" if block else "inline") for part in parts)
    except Exception as error:
        raise ValueError(f"formula {latex!r}: {type(error).__name__} {error}") from error
    unknown = re.search(r"\\[A-Za-z]+", mathml)
    if unknown:
        raise ValueError(f"formula {latex!r}: {unknown[0]} is not understood")
    return f'<div class="formula">{mathml}</div>' if block else mathml
