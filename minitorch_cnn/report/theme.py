"""The colours of the pages, each with one value for the light theme and one for the dark theme.

Drawings refer to colours by name: `colour("conv")` is a CSS variable that the page sets for the reader's theme. The
light value is the fallback for a drawing that is displayed alone in a notebook. Right and wrong are teal and vermilion,
which readers with red-green colour blindness can tell apart.
"""

COLOURS = {
    # name: (light, dark)
    "paper": ("#ffffff", "#12161c"),
    "panel": ("#f5f7f9", "#1a2028"),
    "ink": ("#16202c", "#e9edf2"),
    "muted": ("#556270", "#9fabb8"),
    "line": ("#dde2e8", "#2c3540"),
    "accent": ("#1d5fbf", "#74a9f2"),
    "train": ("#6b7785", "#96a2b0"),
    "validation": ("#1d5fbf", "#74a9f2"),
    "right": ("#0c7a5e", "#35b38f"),
    "wrong": ("#bf4420", "#ee7a55"),
    "conv": ("#4180cf", "#4c86cf"),
    "pool": ("#dd9a36", "#d39237"),
    "dense": ("#7d60c8", "#8d72d4"),
    "plain": ("#93a0ae", "#71808f"),
}


def colour(name: str) -> str:
    """The CSS value of a colour in `COLOURS`, for example `var(--conv, #4180cf)`."""
    return f"var(--{name}, {COLOURS[name][0]})"


def style_variables() -> str:
    """The CSS rules that set every colour for the light and the dark theme."""
    light = "".join(f"--{name}:{values[0]};" for name, values in COLOURS.items())
    dark = "".join(f"--{name}:{values[1]};" for name, values in COLOURS.items())
    return f":root{{color-scheme:light dark;{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"
