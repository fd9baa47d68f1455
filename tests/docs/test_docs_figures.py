"""The interactive figures, operated in a browser on a page opened from a file; their numbers beside the engine's."""

import html
import json
import re
import subprocess

import figures
import numpy as np
import pytest
from figures import digit, lessons, microscope, stack, winograd
from site_browser import BROWSER

from minitorch_cnn import Sequential, definitions_only, layers, losses
from minitorch_cnn.engine.activations import Softmax
from minitorch_cnn.engine.convolution.geometry import NO_PADDING
from minitorch_cnn.engine.convolution.im2col import col2im, im2col
from minitorch_cnn.engine.layers.max_pool2d import max_pool, max_pool_backward
from minitorch_cnn.engine.philox import random_bits
from minitorch_cnn.lessons.planted_bugs import PLANTED_BUGS

browser = pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")

EVERY = [("microscope", which) for which in ("small", "digit", "winograd", "layer", "stack")]
EVERY += [(kind,) for kind in figures.KINDS if kind != "microscope"]

# What a reader's hand does: a tap on a cell of a grid, and keys.
HAND = """
const tap = (grid, index, kind = "touch") => {
  const box = grid.svg.getBoundingClientRect(), scale = box.width / (grid.columns * grid.across + 4 + grid.gutter);
  const x = box.left + (2 + grid.gutter + (index % grid.columns + 0.5) * grid.across) * scale;
  const y = box.top + (2 + (Math.floor(index / grid.columns) + 0.5) * grid.cell) * scale;
  grid.svg.dispatchEvent(new PointerEvent("pointerdown", {clientX: x, clientY: y, pointerType: kind, bubbles: true}));
};
const key = (node, name) =>
  node.dispatchEvent(new KeyboardEvent("keydown", {key: name, bubbles: true, cancelable: true}));
const text = (root, selector) => root.querySelector(selector).textContent.replace("−", "-");
const press = (root, words) => [...root.querySelectorAll("button")].find(one => one.textContent === words).click();
const slide = (root, name, value) => {
  const input = root.querySelector(`input[aria-label="${name}"]`);
  input.value = value;
  input.dispatchEvent(new Event("input", {bubbles: true}));
};
"""


def run(body, script, folder, name="page"):
    """What `script`, the body of a function that returns something for JSON, finds on the page of `body`."""
    page = folder / f"{name}.html"
    ending = f"<script>{HAND}addEventListener('load', () => {{let found; try {{ found = (() => {{{script}}})(); }}"
    ending += " catch (error) { found = {error: error.stack}; } document.title = JSON.stringify(found); });</script>"
    page.write_text(figures.page(body) + ending, encoding="utf-8")
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--virtual-time-budget=5000"]
    command += [
        f"--user-data-dir={folder / 'profile'}",
        "--window-size=1280,1000",
        "--enable-logging=stderr",
        "--dump-dom",
    ]
    done = subprocess.run(
        [*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=300, check=True
    )
    assert "CONSOLE" not in done.stderr, done.stderr[-2000:]
    found = json.loads(html.unescape(re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)[1]))
    assert not isinstance(found, dict) or "error" not in found, found["error"]
    return found


WALK = """
const wrong = [], read = {};
for (const root of document.querySelectorAll(".figure")) {
  const {figure} = root;
  figure.go(99);
  for (const view of figure.views) {
    for (let index = 0; index < view.rows * view.columns; index += view.rows > 9 ? 5 : 1) {
      tap(view.grid, index);
      const {name, index: place} = figure.state.chosen, terms = figure.net.terms(name, place);
      const product = term => term.reduce((one, factor) => one * factor.value, 1);
      const sum = terms ? terms.reduce((all, term) => all + product(term), 0) : null;
      const shown = Number(text(root, ".value"));
      if (name !== view.array || Math.abs(shown - figure.net.arrays[name].values[place]) > 1e-6
          || sum !== null && Math.abs(sum - shown) > 1e-6) wrong.push([view.array, index, name, shown, sum]);
      read[name] = (read[name] || 0) + 1;
    }
  }
}
return {read, wrong: wrong.slice(0, 5)};
"""


@browser
def test_every_sum_of_the_microscopes_is_the_engine_s_number(tmp_path):
    pages = [figures.html(*which) for which in EVERY if which[0] == "microscope"]
    found = run("".join(pages), WALK, tmp_path)
    assert found["wrong"] == [] and sum(found["read"].values()) > 700, found
    assert {"x", "kernel", "dkernel", "dx", "pooled", "dW", "dscores", "M", "dW2", "dbias"} <= set(found["read"])


@browser
def test_keys_film_and_changed_numbers_of_the_microscope(tmp_path):
    found = run(figures.html("microscope", "small"), """
      const root = document.querySelector(".figure"), {figure} = root, [x] = figure.views.map(view => view.grid);
      figure.go(0);
      tap(x, 12);
      key(x.svg, "ArrowRight");
      key(x.svg, "ArrowDown");
      const moved = [x.cursor, text(root, ".fed-title"), x.svg.getAttribute("aria-label")];
      const hidden = figure.views.find(view => view.array === "dx").grid.words[0].textContent;
      slide(root, "step of the film", 6);
      const lit = root.querySelectorAll(".mark").length, losses = [text(root, "[data-array=loss] text")];
      tap(x, 0);
      press(root, "+ 0.5");
      const changed = [...figure.net.arrays.x.values.slice(0, 2), ...figure.net.arrays.y.values];
      for (let step = 0; step < 40; step++) press(root, "take this step");
      losses.push(text(root, "[data-array=loss] text"));
      press(root, "start again");
      losses.push(text(root, "[data-array=loss] text"));
      return {moved, hidden, lit, losses, changed};
    """, tmp_path)  # fmt: skip
    assert found["moved"][:2] == [18, "x[3, 3, 0] is given"] and "x, the image: x[3, 3, 0]" in found["moved"][2]
    assert found["hidden"] == "" and found["lit"] > 2
    assert float(found["losses"][1]) < 0.5 * float(found["losses"][0]) and found["losses"][2] == found["losses"][0]
    arrays = microscope.small()[0]["arrays"]
    x = arrays["x"]["values"].copy()
    x[0] += 0.5
    y = microscope.naive.forward(
        x.reshape(1, 5, 5, 1), arrays["kernel"]["values"].reshape(3, 3, 1, 1), *microscope.STEP
    )
    assert np.allclose(found["changed"], [*x[:2], *y.ravel()])


def random_steps(rng):
    """The arrays of steps on random images, odd in size; each with the numbers that the engine computed."""
    for size, window in (((5, 6), (3, 2)), ((7, 4), (2, 3)), ((3, 3), (3, 3))):
        H, W, C = *size, int(rng.integers(1, 4))
        x, kernel = rng.standard_normal((1, H, W, C)), rng.standard_normal((*window, C, 1))
        target = rng.standard_normal((1, H - window[0] + 1, W - window[1] + 1, 1))
        yield microscope.small_arrays(x, kernel, target, 0.3)["arrays"]
    for size in (6, 8):
        half = size // 2 - 1
        shapes = [(1, size, size, 1), (3, 3, 1, 2), (2,), (half * half * 2, 5), (5,)]
        x, *weights = (rng.standard_normal(shape) for shape in shapes)
        yield digit.traced(x, int(rng.integers(5)), *weights, 0.1)[0]
    x, kernel, bias, dy = (rng.standard_normal(shape) for shape in ((5, 3), (3, 4), (4,), (5, 4)))
    yield stack.layer_arrays(x, kernel, bias, dy)
    yield stack.stack_arrays(x, kernel, rng.standard_normal((4, 2)), rng.standard_normal((5, 2)), 0.1)
    yield winograd.arrays(rng.standard_normal((6, 6)), rng.standard_normal((3, 3)))


def test_the_script_computes_what_the_engine_computes(tmp_path):
    if BROWSER is None:
        pytest.skip("no chromium on this machine")
    steps = list(random_steps(np.random.default_rng(0)))
    found = run("", f"""
      return {figures.to_json(steps)}.map(arrays => {{
        for (const array of Object.values(arrays)) if (array.rule) array.values = array.values.map(() => 0);
        new Figures.rules.Net(arrays).compute();
        return Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, array.values]));
      }});
    """, tmp_path)  # fmt: skip
    assert len(found) == len(steps) == 8
    for arrays, computed in zip(steps, found):
        for name, array in arrays.items():
            assert np.allclose(computed[name], array["values"], rtol=0, atol=1e-6), name


def test_what_a_reader_changes_is_computed_as_the_engine_computes_it(tmp_path):
    if BROWSER is None:
        pytest.skip("no chromium on this machine")
    cases = list(changes(np.random.default_rng(1)))
    asked = json.dumps([[name, arguments] for name, arguments, _ in cases], default=np.ndarray.tolist)
    found = run("", f"return {asked}.map(([name, values]) => Figures.compute[name](...values));", tmp_path)
    assert {name for name, *_ in cases} == {*run("", "return Object.keys(Figures.compute)", tmp_path, "names")}
    for (name, arguments, wanted), got in zip(cases, found, strict=True):
        for key, value in (wanted if isinstance(wanted, dict) else {None: wanted}).items():
            one = got if key is None else got[key]
            if isinstance(value, list):
                assert one == value, (name, arguments)
            else:
                assert np.allclose(one, value, rtol=1e-9, atol=1e-7 if name == "quotient" else 1e-9), (
                    name,
                    key,
                    arguments,
                )


def changes(rng):
    """(function, arguments, what the engine gives) for random inputs of every function of compute.js."""
    for trial in range(8):
        w, b, x = rng.standard_normal(3) * 2
        t = rng.random()
        neuron = Sequential([layers.Dense(1, activation="sigmoid")], input_shape=(1,), dtype="float64")
        neuron.layers[0].parameters["kernel"], neuron.layers[0].parameters["bias"] = [[w]], [b]
        loss = neuron.loss_and_gradients(np.array([[x]]), np.array([[t]]), losses.MeanSquaredError())
        gradients = {name: float(one.item()) for name, one in neuron.layers[0].gradients.items()}
        yield "neuron", [w, b, x, t], {"loss": loss, "dw": gradients["kernel"], "db": gradients["bias"]}
        yield "quotient", [w, b, x, t, 1e-5], gradients["kernel"]

        start, rate, momentum = rng.standard_normal(2) * 5, rng.random() * 0.1, rng.random()
        path = lessons.descent_path(np.array([1.0, 25.0]), start, rate, momentum, 20)
        yield "descend", [[1, 25], start, rate, momentum, 20], path

        scores, label = rng.standard_normal(5) * 8, int(rng.integers(5))
        loss, dscores = losses.CrossEntropy().from_scores(scores[None], np.array([label]))
        yield "softmax", [scores, label], {"loss": loss, "dscores": dscores[0], "p": Softmax().forward(scores)}

        x, dy = rng.standard_normal(6) * 3 + 1, rng.standard_normal(6)
        gamma, beta = rng.standard_normal(2)
        yield "batchNorm", [x, dy, gamma, beta, 1e-3], lessons.batch_norm_of(x, dy, gamma, beta, 1e-3)

        draw, rate = int(rng.integers(50)), float(rng.choice([0.0, 0.25, 0.5, 0.8]))
        x, dy = rng.standard_normal((2, 12))
        layer = layers.Dropout(rate)
        layer.key, layer.draws = (3, 4), draw
        with definitions_only():
            y, kept = layer.forward_pass(x, training=True)
            dx, _ = layer.backward_pass(dy, kept)
        yield "dropout", [x, dy, random_bits(12, (3, 4), draw) / 2**32, rate], {"y": y, "dx": dx}

        trained = [None if one == 2 else bool(one) for one in rng.integers(0, 3, 6)]
        yield "visited", [trained], lessons.visited_by(trained)

        slope, depth = rng.standard_normal(), int(rng.integers(1, 12))
        both = [lessons.residual_gradients(slope, depth, shortcut) for shortcut in (False, True)]
        yield "residual", [slope, depth], {"plain": np.array(both[0]), "shortcut": np.array(both[1])}

        steps, step, rate = 2 * int(rng.integers(2, 60)), int(rng.integers(100)), rng.random()
        for kind, made in lessons.schedules_of(rate, steps).items():
            yield "schedule", [kind, step, steps, rate], made(step)

        size, window = int(rng.integers(4, 7)), int(rng.integers(2, 4))
        stride = 1 if trial < 4 else int(rng.integers(1, 4))  # windows that overlap, and that leave pixels out
        out = (size - window) // stride + 1
        x, dy = rng.integers(0, 5, (1, size, size, 1)).astype(float), rng.standard_normal((1, out, out, 1))  # ties
        y, winner = max_pool.definition(x, (window,) * 2, (stride,) * 2, NO_PADDING)
        dx = max_pool_backward.definition(dy, winner, x.shape, (window,) * 2, (stride,) * 2, NO_PADDING)
        yield "pool", [x.ravel(), size, window, stride, dy.ravel()], {"y": y.ravel(), "dx": dx.ravel()}

        padding = int(rng.integers(0, 2))
        geometry = (window,) * 2, (stride,) * 2, ((padding,) * 2,) * 2
        pixels = im2col(np.arange(1, size * size + 1).reshape(1, size, size, 1), *geometry) - 1
        columns = rng.standard_normal(pixels.shape)
        dx = col2im(columns, (1, size, size, 1), *geometry)
        yield "im2col", [size, window, stride, padding], pixels
        yield "col2im", [columns, pixels, size], dx.ravel()


@browser
def test_every_figure_answers_to_touch_and_keys(tmp_path):
    kinds = [kind for kind in figures.KINDS if kind != "microscope"]
    found = run("".join(map(figures.html, kinds)), """
      const of = kind => document.querySelector(`[data-figure=${kind}]`), said = kind => text(of(kind), ".words");
      const value = kind => Number(text(of(kind), ".value"));
      const at = (svg, x, y) => {
        const box = svg.getBoundingClientRect();
        svg.dispatchEvent(new PointerEvent("pointerdown", {pointerId: 1, pointerType: "touch", bubbles: true,
          clientX: box.left + x * box.width, clientY: box.top + y * box.height}));
      };
      const found = {};
      press(of("neuron"), "ten steps");
      found.neuron = [of("neuron").figure.state.w, value("neuron")];
      at(of("neuron").querySelector("svg.plot"), 0.3, 0.5);
      const dragged = of("neuron").figure.state.w;
      key(of("neuron").querySelector("svg.plot"), "ArrowRight");
      found.moved = [dragged, of("neuron").figure.state.w - dragged];

      slide(of("quotient"), "step h", -5);
      found.quotient = [value("quotient"), said("quotient")];
      slide(of("quotient"), "step h", -13);
      found.quotient.push(said("quotient"));

      found.descent = [said("descent")];
      slide(of("descent"), "learning rate", 0.09);
      found.descent.push(said("descent"), value("descent"));
      slide(of("descent"), "momentum", 0.5);
      found.descent.push(said("descent"));

      const {figure} = of("im2col");
      tap(figure.grids.image, 0);
      found.im2col = [said("im2col")];
      press(of("im2col"), "1");
      key(figure.grids.image.svg, "ArrowUp");
      found.im2col.push(said("im2col"), of("im2col").querySelectorAll(".mark.feeds").length);
      [...of("im2col").querySelectorAll("[aria-label=stride] button")][2].click();
      tap(figure.grids.dx, 12);
      found.im2col.push(said("im2col"), value("im2col"));

      const pool = of("pool").figure;
      press(of("pool"), "3x3, stride 1");
      tap(pool.grids.x, 11);
      found.pool = [said("pool"), value("pool")];
      press(of("pool"), "all equal");
      key(pool.grids.y.svg, "ArrowRight");
      found.pool.push(said("pool"));

      slide(of("softmax"), "score of class 1", 6);
      found.softmax = [Number(text(of("softmax"), ".loss"))];
      press(of("softmax"), "add 1 to all scores");
      found.softmax.push(Number(text(of("softmax"), ".loss")));

      const norm = of("batch_norm").figure;
      press(of("batch_norm"), "all 1: asks for a shift");
      found.batch_norm = [...norm.grids.dx.values];
      press(of("batch_norm"), "mixed");
      key(of("batch_norm").querySelector(".stage-room svg"), "ArrowUp");
      key(of("batch_norm").querySelector(".stage-room svg"), "ArrowRight");
      found.norm_moved = [norm.state.chosen, norm.state.x[1], value("batch_norm")];

      slide(of("dropout"), "rate", 0.25);
      found.dropout = [...of("dropout").figure.grids.y.values];
      press(of("dropout"), "next step: draw again");
      found.drawn = [...of("dropout").figure.grids.y.values];

      press(of("schedule"), "Step");
      slide(of("schedule"), "step", 50);
      found.schedule = value("schedule");
      press(of("freezing"), "freeze only the top");
      found.freezing = [...of("freezing").querySelectorAll(".state")].map(one => one.textContent);
      slide(of("residual"), "layers", 3);
      found.residual = [Number(text(of("residual"), ".plain")), Number(text(of("residual"), ".shortcut"))];
      const select = of("planted").querySelector("select");
      found.planted = [...select.options].map((option, index) => {
        select.value = index;
        select.dispatchEvent(new Event("change"));
        return [text(of("planted"), ".verdict"), of("planted").querySelectorAll("[data-array=off] .number").length];
      });
      return found;
    """, tmp_path)  # fmt: skip
    w, loss = found["neuron"][0], found["neuron"][1]
    assert w > 0.5 and abs(loss) < 0.2
    assert found["moved"][0] < -1 and found["moved"][1] == pytest.approx(0.1)
    assert found["quotient"][0] == pytest.approx(-0.431523, abs=1e-6) and "bottom of the V" in found["quotient"][1]
    assert "rounding" in found["quotient"][2]
    assert "It converges" in found["descent"][0] and "It diverges" in found["descent"][1] and found["descent"][2] > 1e3
    assert "It converges" in found["descent"][3]
    assert "Pixel 1 is copied once" in found["im2col"][0] and "Pixel 13" not in found["im2col"][1]
    assert "copied once" in found["im2col"][3] or "No window" in found["im2col"][3]
    assert "wins 2 windows" in found["pool"][0] and found["pool"][1] == pytest.approx(-0.2 + 0.4)
    assert "9 numbers are equal" in found["pool"][2]
    assert found["softmax"][0] == found["softmax"][1] < 0.1
    assert np.abs(found["batch_norm"]).max() < 1e-9 and found["norm_moved"][:2] == [1, -0.75]
    data = lessons.batch_norm()[0]
    x = data["x"].copy()
    x[1] = -0.75
    assert found["norm_moved"][2] == pytest.approx(
        lessons.batch_norm_of(x, data["dy"], 1.5, 0.5, 1e-3)["dx"][1], abs=1e-6
    )
    assert found["dropout"] != found["drawn"] and 0 in found["dropout"]
    assert found["schedule"] == pytest.approx(0.01)
    assert found["freezing"][0] == "trained" and found["freezing"][-1] == "frozen, gradient passes"
    assert found["residual"] == [0.125, 3.375]
    assert len(found["planted"]) == len(PLANTED_BUGS) and all(
        len(said) > 20 and cells for said, cells in found["planted"]
    )
    for bug, (said, _) in zip(PLANTED_BUGS, found["planted"]):
        assert bug.words in said, bug.title


def test_without_scripts_there_are_a_picture_and_words():
    for kind, *arguments in EVERY:
        plain = re.sub(r"<script.*?</script>", "", figures.html(kind, *arguments), flags=re.DOTALL)
        words = re.search(r'<p class="caption">(.*?)</p>', plain)[1]
        assert len(words) > 100 and "<svg" in plain and 'aria-label="' in plain
    with pytest.raises(ValueError, match="expected one of microscope"):
        figures.html("telescope")


def test_a_figure_names_a_line_of_the_engine_that_is_there():
    found = figures.line("minitorch_cnn/engine/optimizers.py", "w -= rate * g")
    text = (figures.ROOT / "minitorch_cnn" / found["path"]).read_text(encoding="utf-8").splitlines()
    assert text[found["number"] - 1].strip() == found["code"] == "w -= rate * g"
    assert (found["path"], found["number"]) in figures.lines_shown()
    for words, count in (("no such line", 0), ("self.", "")):
        with pytest.raises(ValueError, match=f"expected one line with '{words}', found {count}"):
            figures.line("minitorch_cnn/engine/optimizers.py", words)


def test_the_scripts_are_small():
    sizes = {path.name: path.stat().st_size for path in figures.FOLDER.glob("*.js")}
    assert 10_000 < sum(sizes.values()) < 120_000, sizes
    assert {name for kind in figures.KINDS.values() for name in (*kind, "core")} == {name[:-3] for name in sizes}
