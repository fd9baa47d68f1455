"""A traced step as a table for the terminal."""

from minitorch_cnn.lessons.remarks import HEALTHY, remarks

UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
HEAD = ("layer", "output", "mult.", "kept", "fwd ms", "bwd ms", "mean", "std", "zero", "off", "|dy|", "update")


def short(number):
    """A count as one says it: `1.85G`, `432`."""
    for size, unit in UNITS:
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"


def value(number, sign=""):
    """Two digits of a number, as `0.0032` or `130`; with an exponent only where it is very small or very large."""
    rounded = float(f"{number:.2g}")
    return f"{rounded:{sign}.0f}" if 10 <= abs(rounded) < 1e5 else f"{number:{sign}.2g}"


def rows(step):
    """The table's rows as text: one for each layer, in the order of the columns."""
    for layer in step.layers:
        seen, back = layer.activation, layer.gradient
        kernel = layer.moves.get("kernel")
        off = f"{layer.silent}/{layer.channels}" if layer.silent or "relu" in layer.detail else ""
        update = f"{kernel.ratio:.0e}" if kernel else layer.state.partition(",")[0].replace("trained", "")
        yield (
            layer.name,
            "x".join(map(str, layer.output_shape)),
            short(layer.multiplications) if layer.multiplications else "",
            f"{layer.kept_bytes / 2**20:.1f} MiB",
            f"{1e3 * layer.forward_seconds:.1f}",
            f"{1e3 * layer.backward_seconds:.1f}" if back else "",
            value(seen.mean, "+"),
            value(seen.std),
            f"{seen.zeros:.0%}",
            off,
            f"{back.rms:.0e}" if back else "not visited",
            update,
        )


def trace_text(step):
    """The whole of a StepTrace as text."""
    table = [HEAD, *rows(step)]
    widths = [max(len(row[column]) for row in table) for column in range(len(HEAD))]
    lines = ["  ".join(_placed(row, widths)).rstrip() for row in table]
    rule = "-" * max(map(len, lines))
    total, done = (sum(getattr(layer, name) for layer in step.layers) for name in ("multiplications", "performed"))
    kept = sum(layer.kept_bytes for layer in step.layers)
    footer = [
        f"{step.images} image{'s' if step.images > 1 else ''}; per image {short(total)} multiplications forwards by the"
        f" definition" + (f", {short(done)} as computed (Winograd)" if done < total else ""),
        f"one layer at a time: forward {1e3 * step.forward_seconds:.0f} ms, backward"
        f" {1e3 * step.backward_seconds:.0f} ms, update {1e3 * step.update_seconds:.0f} ms;"
        f" {kept / 2**20:.1f} MiB kept for the way back",
        f"both passes as a training runs them, some neighbours as one: {1e3 * step.joined_seconds:.0f} ms",
        f"{step.loss_name} {step.loss:.5g} before the update, {step.loss_after:.5g} after it, on the same images",
        f"zero: share of the output that is 0; off: ReLUs that are 0 for every image; |dy|: root mean square of dL/dy;"
        f" update: |change| / |kernel|, healthy from {HEALTHY[0]:g} to {HEALTHY[1]:g}",
    ]
    return "\n".join([lines[0], rule, *lines[1:], rule, *footer, *(f"* {words}" for words in remarks(step))])


def _placed(row, widths):
    return [
        cell.ljust(width) if column < 2 else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths))
    ]
