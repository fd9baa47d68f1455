"""The interactive figures, operated in a browser on a page opened from a file; their numbers beside the engine's."""

import re

import figures
import numpy as np
import pytest
from figure_browser import run
from figures import lessons, microscope
from site_browser import BROWSER

from minitorch_cnn.engine.schedules import SCHEDULES
from minitorch_cnn.lessons.planted_bugs import PLANTED_BUGS

browser = pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")

EVERY = [("microscope", which) for which in ("small", "digit", "winograd", "layer", "stack")]
EVERY += [(kind,) for kind in figures.KINDS if kind != "microscope"]

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


@browser
def test_every_figure_answers_to_touch_and_keys(tmp_path):
    kinds = [kind for kind in figures.KINDS if kind != "microscope"]
    found = run("".join(map(figures.html, kinds)), """
      const of = kind => document.querySelector(`[data-figure=${kind}]`), said = kind => text(of(kind), ".words");
      const value = kind => Number(text(of(kind), ".value"));
      const at = (svg, x, y) => {
        const box = svg.getBoundingClientRect();
        touch(svg, box.left + x * box.width, box.top + y * box.height);
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


def test_the_figure_of_schedules_has_all_of_the_engine_s():
    assert lessons.schedule()[0]["kinds"] == list(SCHEDULES) == list(lessons.schedules_of(0.1, 10))


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
    of_runs = (figures.ROOT / "minitorch_cnn" / "report" / "live.js").stat().st_size
    assert 10_000 < sum(sizes.values()) + of_runs < 120_000, sizes
    assert {name for kind in figures.KINDS.values() for name in (*kind, "core")} == {name[:-3] for name in sizes}
