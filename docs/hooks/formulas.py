"""Formulas in LaTeX become MathML when the site is built, which browsers show without a script or the network."""

import html
import re

from latex2mathml.converter import convert

FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)


def to_mathml(page):
    """The page's HTML with each formula as MathML; ValueError for one that is not understood."""
    return FORMULA.sub(_formula, page)


def _formula(match):
    latex = html.unescape(match[3]).strip()
    try:
        mathml = convert(latex, display="block" if match[2] == "[" else "inline")
    except Exception as error:
        raise ValueError(f"formula {latex!r}: {type(error).__name__} {error}") from error
    unknown = re.search(r"\\[A-Za-z]+", mathml)
    if unknown:
        raise ValueError(f"formula {latex!r}: {unknown[0]} is not understood")
    return f'<div class="formula">{mathml}</div>' if match[2] == "[" else mathml
