// One neuron on its loss curve, and descent on a loss with two weights.
"use strict";

// A plot of lines in a frame of numbers: x and y are [lowest, highest], `axes` what they are, and `log` makes y logarithmic.
Figures.plot = ({width = 320, height = 240, x, y, axes, label, log = false, drag, keys}) => {
  const {make, short} = Figures;
  const level = value => log ? Math.log10(Math.max(value, 1e-300)) : value;
  const [low, high] = y.map(level), left = 44, bottom = 26, top = 10, right = 10;
  const px = value => left + (value - x[0]) / (x[1] - x[0]) * (width - left - right);
  const py = value => top + (high - level(value)) / (high - low) * (height - top - bottom);
  const drawn = make("g"), handle = make("circle", {r: 22, class: "handle"});
  const svg = make("svg", {viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, class: "plot",
    style: `width:100%;max-width:${width}px;height:auto`}, make("rect", {x: left, y: top, width: width - left - right,
    height: height - top - bottom, class: "rule"}), drawn);
  const write = (words, at, anchor = "middle") =>
    svg.append(make("text", {x: at[0], y: at[1], "text-anchor": anchor, class: "axis"}, words));
  for (const part of [0, 0.5, 1]) {
    write(short(x[0] + part * (x[1] - x[0])), [px(x[0] + part * (x[1] - x[0])), height - 8]);
    const value = low + part * (high - low);
    write(log ? `1e${short(Math.round(value))}` : short(value), [left - 5, py(log ? 10 ** value : value) + 4], "end");
  }
  write(axes[0], [width - right - 6, height - bottom - 7], "end");
  write(axes[1], [left + 6, top + 15], "start");
  if (drag) {
    svg.setAttribute("tabindex", 0);
    svg.style.cursor = "grab";
    Figures.pressed(svg, event => {
      const box = svg.getBoundingClientRect(), scale = width / box.width;
      const share = ((event.clientX - box.left) * scale - left) / (width - left - right);
      const down = ((event.clientY - box.top) * scale - top) / (height - top - bottom);
      drag(Math.min(Math.max(share, 0), 1) * (x[1] - x[0]) + x[0], y[1] - Math.min(Math.max(down, 0), 1) * (y[1] - y[0]));
    });
    svg.addEventListener("keydown", event => {
      const by = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}[event.key];
      if (by) { event.preventDefault(); keys(...by); }
    });
  }
  const inside = ([a, b]) => Number.isFinite(a) && Number.isFinite(b) && a >= x[0] && a <= x[1] && (log || b >= y[0] && b <= y[1]);
  return {svg, px, py, inside, clear: () => drawn.replaceChildren(),
    line(points, attributes) { // as far as it stays inside
      const kept = [];
      for (const point of points) {
        if (!inside(point)) { // the last piece points out of the frame
          const clip = (value, [a, b]) => Math.min(Math.max(Number.isFinite(value) ? value : b, a), b);
          kept.push([clip(point[0], x), log ? point[1] : clip(point[1], y)]);
          break;
        }
        kept.push(point);
      }
      const d = kept.map(([a, b]) => `${px(a).toFixed(1)} ${Math.min(Math.max(py(b), top), height - bottom).toFixed(1)}`).join("L");
      drawn.append(make("path", {d: "M" + d, fill: "none", "stroke-width": 2, ...attributes}));
    },
    hold([a, b]) { // where a finger may drag in any direction; it stays while what is drawn is drawn again
      handle.setAttribute("cx", px(a));
      handle.setAttribute("cy", py(b));
      handle.parentNode || svg.append(handle);
    },
    dot([a, b], attributes) { drawn.append(make("circle", {cx: px(a), cy: py(b), r: 4, ...attributes})); },
    path(d, attributes) { drawn.append(make("path", {d, fill: "none", ...attributes})); }};
};

Figures.kinds.neuron = (place, data) => {
  const {make, slider, button, plot, compute, exact, short, code, words} = Figures;
  const {x, t, b, low, high} = data;
  const state = {w: data.w, rate: 1, path: [data.w]};
  const at = w => compute.neuron(w, b, x, t);
  const put = w => { state.w = w; state.path = [w]; draw(); };
  const chart = plot({width: 420, height: 260, x: [low, high], y: [0, 1], axes: ["weight w", "loss"], label: "loss over the weight w; drag the dot",
    drag: w => put(w), keys: right => put(Math.min(Math.max(state.w + 0.1 * right, low), high))});
  const step = () => {
    state.w -= state.rate * at(state.w).dw;
    state.path.push(state.w);
    draw();
  };
  const rate = slider("learning rate", {min: -2, max: 3, step: 0.25, value: 0, words: v => short(10 ** v, 3)},
    value => { state.rate = 10 ** value; });
  const chain = make("div", {class: "panel"}), said = words();
  place.append(make("div", {class: "controls"}, rate.node, button("one step", step),
    button("ten steps", () => { for (let i = 0; i < 10; i++) step(); }), button("start again", () => put(data.w))),
    make("div", {class: "stages"}, chart.svg, make("div", {class: "stage", style: "flex:1 1 16rem"}, chain, said)));
  function draw() {
    const now = at(state.w);
    chart.clear();
    const points = Array.from({length: 121}, (_, i) => low + i / 120 * (high - low));
    chart.line(points.map(w => [w, at(w).loss]), {stroke: "var(--muted)"});
    const reach = Math.min(0.12 * (high - low), Math.min(now.loss, 1 - now.loss) / Math.max(Math.abs(now.dw), 1e-9)), ends = [-reach, reach].map(d => [state.w + d, now.loss + now.dw * d]);
    if (chart.inside([state.w, now.loss])) {
      chart.path(`M${ends.map(end => `${chart.px(end[0])} ${chart.py(end[1])}`).join("L")}`, {stroke: "var(--wrong)", "stroke-width": 2});
      for (const w of state.path.slice(-40, -1)) if (chart.inside([w, 0])) chart.dot([w, at(w).loss], {r: 3, fill: "var(--accent)", "fill-opacity": 0.5});
      chart.dot([state.w, now.loss], {r: 7, fill: "var(--accent)"});
    }
    chart.svg.setAttribute("aria-label", `loss over the weight; w ${short(state.w)}, loss ${short(now.loss, 4)}`);
    chain.replaceChildren(...[
      ["forward", `s = w x + b = ${exact(now.s)}`], ["", `y = σ(s) = ${exact(now.y)}`], ["", `L = (y − t)² = ${exact(now.loss)}`],
      ["backward", `dy = 2 (y − t) = ${exact(now.dy)}`], ["", `ds = dy · y (1 − y) = ${exact(now.ds)}`],
    ].map(([name, text]) => make("div", {}, name ? make("strong", {}, name + ": ") : "", text)),
    make("div", {class: "sum"}, "dw = ds · x = ", make("span", {class: "value"}, exact(now.dw))), code(data.line));
    said.textContent = state.w < low || state.w > high ? `w = ${short(state.w)} has left the picture: the step was too long.`
      : `w = ${short(state.w, 4)} after ${state.path.length - 1} steps.` + (Math.abs(now.dw) < 1e-3 && now.loss > 0.1
        ? " The sigmoid is flat here: y (1 − y) is almost zero, so the weight hardly moves." : "");
  }
  draw();
  return {state, chart, at, put};
};

Figures.kinds.descent = (place, data) => {
  const {slider, plot, compute, short, code, words, make} = Figures;
  const {curvature, steps} = data, state = {start: [...data.start], rate: data.rate, momentum: data.momentum};
  const loss = w => (curvature[0] * w[0] ** 2 + curvature[1] * w[1] ** 2) / 2;
  const put = start => { state.start = start; draw(); };
  const surface = plot({width: 380, height: 300, x: [-12, 12], y: [-3, 3], axes: ["w₁", "w₂"], label: "the loss over two weights; drag the start",
    drag: (a, b) => put([a, b]), keys: (right, up) => put([Math.max(-12, Math.min(12, state.start[0] + 0.5 * right)),
      Math.max(-3, Math.min(3, state.start[1] + 0.1 * up))])});
  const curve = plot({width: 320, height: 300, x: [0, steps], y: [1e-6, 1e6], axes: ["step", "loss"], log: true, label: "loss after each step"});
  const said = words();
  const rate = slider("learning rate", {min: 0.002, max: 0.2, step: 0.001, value: state.rate}, v => { state.rate = v; draw(); });
  const momentum = slider("momentum", {min: 0, max: 0.99, step: 0.01, value: state.momentum}, v => { state.momentum = v; draw(); });
  place.append(make("div", {class: "controls"}, rate.node, momentum.node), make("div", {class: "stages"}, surface.svg, curve.svg), said,
    code(data.line));
  function draw() {
    const path = compute.descend(curvature, state.start, state.rate, state.momentum, steps), losses = path.map(loss);
    surface.clear();
    for (const level of [0.5, 2, 8, 20, 40, 65]) {
      const rx = surface.px(Math.sqrt(2 * level / curvature[0])) - surface.px(0), ry = surface.py(0) - surface.py(Math.sqrt(2 * level / curvature[1]));
      const [cx, cy] = [surface.px(0), surface.py(0)];
      surface.path(`M${cx - rx} ${cy}a${rx} ${ry} 0 1 0 ${2 * rx} 0a${rx} ${ry} 0 1 0 ${-2 * rx} 0`, {stroke: "var(--line)", "stroke-width": 1.5});
    }
    surface.line(path, {stroke: "var(--accent)"});
    path.slice(1).every(w => surface.inside(w) && (surface.dot(w, {r: 2.5, fill: "var(--accent)"}), true));
    surface.dot([0, 0], {r: 4, fill: "none", stroke: "var(--right)", "stroke-width": 2});
    surface.dot(state.start, {r: 8, fill: "var(--wrong)"});
    surface.hold(state.start);
    curve.clear();
    curve.line(losses.map((value, step) => [step, Math.min(Math.max(value, 1e-6), 1e6)]), {stroke: "var(--accent)"});
    // With momentum a direction of curvature a is stable below 2 (1 + momentum) / a.
    const limit = 2 * (1 + state.momentum) / Math.max(...curvature);
    const verdict = state.rate > limit ? "It diverges: the steeper direction overshoots further with every step."
      : state.rate > 0.97 * limit ? "At the limit: it goes to and fro and hardly comes closer." : "It converges.";
    said.replaceChildren(make("strong", {}, verdict), ` The limit is 2 (1 + momentum) / ${short(Math.max(...curvature))} = ${short(limit, 3)}.`
      + ` Loss ${short(losses[0])} at the start, `, make("span", {class: "value"}, losses[steps].toExponential(3)), ` after ${steps} steps.`);
    surface.svg.setAttribute("aria-label", `the loss over two weights; the start is ${state.start.map(v => short(v)).join(", ")}. ${verdict}`);
  }
  draw();
  return {state, put, surface};
};

Figures.kinds.quotient = (place, data) => {
  const {make, slider, plot, compute, code, words} = Figures;
  const {w, b, x, t} = data, state = {h: 1e-1}, said = words(), slope = compute.neuron(w, b, x, t).dw;
  const far = h => Math.max(Math.abs(compute.quotient(w, b, x, t, h) - slope) / Math.abs(slope), 1e-16);
  const curve = plot({width: 400, height: 250, x: [-14, 0.5], y: [1e-16, 1e2], axes: ["log₁₀ h", "relative error"], log: true, label: "error of the quotient over the power of ten of h"});
  const near = plot({width: 320, height: 250, x: [w - 3.5, w + 3.5], y: [0, 1], axes: ["weight w", "loss"], label: "the loss, its slope and the secant"});
  const control = slider("step h", {min: -14, max: 0.5, step: 0.1, value: -1, words: v => (10 ** v).toExponential(1)},
    value => { state.h = 10 ** value; draw(); });
  place.append(make("div", {class: "controls"}, control.node), make("div", {class: "stages"}, near.svg, curve.svg), said, code(data.line));
  const loss = at => compute.neuron(at, b, x, t).loss;
  function draw() {
    const {h} = state, quotient = compute.quotient(w, b, x, t, h);
    near.clear();
    near.line(Array.from({length: 101}, (_, i) => [w - 3.5 + 0.07 * i, loss(w - 3.5 + 0.07 * i)]), {stroke: "var(--muted)"});
    const ends = [w - h, w + h].map(at => `${near.px(at)} ${near.py(loss(at))}`);
    near.path("M" + ends.join("L"), {stroke: "var(--wrong)", "stroke-width": 2});
    for (const at of [w - h, w + h]) near.dot([at, loss(at)], {fill: "var(--wrong)"});
    curve.clear();
    curve.line(Array.from({length: 146}, (_, i) => [i / 10 - 14, far(10 ** (i / 10 - 14))]), {stroke: "var(--accent)"});
    curve.dot([Math.log10(h), far(h)], {r: 7, fill: "var(--wrong)"});
    said.replaceChildren(`The chain rule gives dw = ${slope.toFixed(9).replace("-", "−")}, the quotient `,
      make("span", {class: "value"}, quotient.toFixed(9).replace("-", "−")), `. Relative error ${far(h).toExponential(1)}: `
      + (h > 1e-3 ? "the step is so large that the loss curves between its ends." : h < 1e-7 ? "the two losses are so close that rounding spoils their difference."
        : "near the bottom of the V."));
  }
  draw();
  return {state};
};
