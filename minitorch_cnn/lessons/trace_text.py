"""A traced training step as a table for the terminal."""

from collections.abc import Iterator

from minitorch_cnn.lessons.remarks import HEALTHY, remarks
from minitorch_cnn.lessons.step import StepTrace

UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
HEAD = ("layer", "output", "mult.", "kept", "fwd ms", "bwd ms", "mean", "std", "zero", "off", "|dy|", "update")


def short(number: float) -> str:
    """A count with three significant digits and a unit prefix, such as `1.85G` or `432`."""
    for size, unit in UNITS:
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"


def value(number: float, sign: str = "") -> str:
    """A number with two significant digits, such as `0.0032` or `130`; an exponent only if very small or very large."""
    rounded = float(f"{number:.2g}")
    return f"{rounded:{sign}.0f}" if 10 <= abs(rounded) < 1e5 else f"{number:{sign}.2g}"


def rows(step: StepTrace) -> Iterator[tuple[str, ...]]:
    """Yield the cells of one table row per layer, in the order of `HEAD`."""
    for layer in step.layers:
        seen, gradient = layer.activation, layer.gradient
        assert seen is not None  # the forward pass visits every layer
        kernel = layer.moves.get("kernel")
        off = f"{layer.silent}/{layer.channels}" if layer.silent or "relu" in layer.detail else ""
        update = f"{kernel.ratio:.0e}" if kernel else layer.state.partition(",")[0].replace("trained", "")
        yield (
            layer.name,
            "x".join(map(str, layer.output_shape)),
            short(layer.multiplications) if layer.multiplications else "",
            f"{layer.kept_bytes / 2**20:.1f} MiB",
            f"{1e3 * layer.forward_seconds:.1f}",
            f"{1e3 * layer.backward_seconds:.1f}" if gradient else "",
            value(seen.mean, "+"),
            value(seen.std),
            f"{seen.zeros:.0%}",
            off,
            f"{gradient.rms:.0e}" if gradient else "not visited",
            update,
        )


def trace_text(step: StepTrace) -> str:
    """A StepTrace as text: the table, the totals, a legend and the remarks."""
    table = [HEAD, *rows(step)]
    widths = [max(len(row[column]) for row in table) for column in range(len(HEAD))]
    lines = ["  ".join(_aligned(row, widths)).rstrip() for row in table]
    rule = "-" * max(map(len, lines))
    total, performed = (sum(getattr(layer, name) for layer in step.layers) for name in ("multiplications", "performed"))
    kept = sum(layer.kept_bytes for layer in step.layers)
    footer = [
        f"{step.images} image{'s' if step.images > 1 else ''}; forward pass per image: {short(total)} multiplications"
        " by the definition" + (f", {short(performed)} performed (Winograd)" if performed < total else ""),
        f"one layer at a time: forward {1e3 * step.forward_seconds:.0f} ms, backward"
        f" {1e3 * step.backward_seconds:.0f} ms, update {1e3 * step.update_seconds:.0f} ms;"
        f" {kept / 2**20:.1f} MiB kept for the backward pass",
        f"both passes as training runs them, with some neighbouring layers fused: {1e3 * step.joined_seconds:.0f} ms",
        f"{step.loss_name} {step.loss:.5g} before the update, {step.loss_after:.5g} after it, on the same images",
        f"zero: share of outputs that are 0; off: ReLUs that are 0 for every image; |dy|: root mean square of dL/dy;"
        f" update: |change| / |kernel|, healthy from {HEALTHY[0]:g} to {HEALTHY[1]:g}",
    ]
    return "\n".join([lines[0], rule, *lines[1:], rule, *footer, *(f"* {words}" for words in remarks(step))])


def _aligned(row: tuple[str, ...], widths: list[int]) -> list[str]:
    return [
        cell.ljust(width) if column < 2 else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths))
    ]
