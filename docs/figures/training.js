// What changes in training: batch norm, dropout, learning-rate schedules, freezing, residual sums, and planted bugs.
"use strict";

Figures.kinds.batch_norm = (place, data) => {
  const {make, Grid, pressed, button, choice, compute, exact, short, code, words} = Figures;
  const state = {x: [...data.x], dy: [...data.dy], chosen: 0}, {gamma, beta, epsilon} = data, count = state.x.length;
  const width = 420, px = value => 20 + (value + 6) / 18 * (width - 40), said = words();
  const dots = make("svg", {viewBox: `0 0 ${width} 96`, role: "img", tabindex: 0, style: `width:100%;max-width:${width}px;height:auto;cursor:grab`});
  const put = value => { state.x[state.chosen] = Math.min(12, Math.max(-6, value)); draw(); };
  const at = event => {
    const box = dots.getBoundingClientRect();
    return ((event.clientX - box.left) * width / box.width - 20) / (width - 40) * 18 - 6;
  };
  pressed(dots, (event, start) => {
    const far = start && state.x.map(one => Math.abs(one - at(start)));
    if (start) state.chosen = far.indexOf(Math.min(...far));
    put(at(event));
  });
  dots.addEventListener("keydown", event => {
    const by = {ArrowLeft: -0.25, ArrowRight: 0.25}[event.key], next = {ArrowUp: 1, ArrowDown: count - 1}[event.key];
    if (by) put(state.x[state.chosen] + by);
    if (next) { state.chosen = (state.chosen + next) % count; draw(); }
    if (by || next) event.preventDefault();
  });
  const rows = [["x", "x"], ["n", "n = (x − mean) / √(variance + ε)"], ["g", "g = γ dy"], ["shift", "− mean of g: what would only shift the batch"],
    ["scale", "− n · mean of g n: what would only stretch it"], ["dx", "dx: the sum of the three rows above, / √(variance + ε)"]];
  const grids = Object.fromEntries(rows.map(([name, title]) => [name, new Grid({title, rows: 1, columns: count, cell: 26, across: 44, numbers: true,
    pick: index => { state.chosen = index; draw(); }})]));
  const stage = make("div", {class: "stage"}, ...rows.map(([name]) => {
    grids[name].node.dataset.array = name;
    return grids[name].node;
  }));
  place.append(make("div", {class: "controls"}, choice("dy", ["mixed", "all 1: asks for a shift", "dy = n: asks for a stretch"], index => {
    state.kind = index;
    draw();
  }).node, button("start again", () => { state.x = [...data.x]; draw(); })), dots, said, stage, code(data.line));
  state.kind = 0;
  function draw() {
    const first = compute.batchNorm(state.x, state.dy, gamma, beta, epsilon);
    const dy = state.kind === 0 ? data.dy : state.kind === 1 ? state.x.map(() => 1) : first.n;
    const now = compute.batchNorm(state.x, dy, gamma, beta, epsilon);
    const spread = Math.sqrt(now.variance);
    dots.replaceChildren(make("rect", {x: px(now.mean - spread), y: 18, width: px(spread) - px(-spread), height: 50, fill: "var(--conv)", "fill-opacity": 0.2}),
      make("line", {x1: px(now.mean), x2: px(now.mean), y1: 12, y2: 74, stroke: "var(--conv)", "stroke-width": 2}),
      make("line", {x1: 20, x2: width - 20, y1: 68, y2: 68, class: "rule"}), ...state.x.map((one, i) => make("circle", {cx: px(one), cy: 44, r: i === state.chosen ? 9 : 6,
        fill: i === state.chosen ? "var(--wrong)" : "var(--accent)", "fill-opacity": 0.85})),
      ...[-6, 0, 6, 12].map(one => make("text", {x: px(one), y: 86, "text-anchor": "middle", class: "axis"}, short(one))));
    dots.setAttribute("aria-label", `a batch of ${count} numbers; number ${state.chosen + 1} is ${short(state.x[state.chosen])}, the mean ${short(now.mean)}`);
    said.replaceChildren(`mean ${short(now.mean, 3)} (line), spread ${short(spread, 3)} (band). dx of the chosen number = `,
      make("span", {class: "value"}, exact(now.dx[state.chosen])), `; all dx add up to ${short(now.dx.reduce((a, b) => a + b))}.`
      + (state.kind ? " Normalisation undoes what this dy asks for, so almost nothing is left." : ""));
    const shown = {x: state.x, n: now.n, g: now.g, shift: now.g.map(() => -now.shift), scale: now.n.map(one => -one * now.scale), dx: now.dx};
    for (const [name, grid] of Object.entries(grids)) {
      grid.show(shown[name], ["g", "shift", "scale"].includes(name) ? Math.max(...now.g.map(Math.abs), 1e-9) : Math.max(...shown[name].map(Math.abs), 0.2));
      grid.mark({chosen: [state.chosen]});
    }
  }
  draw();
  return {state, put, grids};
};

Figures.kinds.dropout = (place, data) => {
  const {make, Grid, slider, button, compute, code, words} = Figures;
  const state = {rate: 0.5, draw: 0}, size = {rows: 4, columns: 8, cell: 36, numbers: true}, said = words();
  const grids = {x: new Grid({...size, title: "x", pick: light}), y: new Grid({...size, title: "y = x · keep / (1 − rate)", pick: light}),
    dy: new Grid({...size, title: "dy", pick: light}), dx: new Grid({...size, title: "dx = dy · keep / (1 − rate)", pick: light})};
  const stage = (a, b) => make("div", {class: "stage"}, grids[a].node, grids[b].node);
  for (const [name, grid] of Object.entries(grids)) grid.node.dataset.array = name;
  place.append(make("div", {class: "controls"}, slider("rate", {min: 0, max: 0.9, step: 0.05, value: 0.5}, value => { state.rate = value; show(); }).node,
    button("next step: draw again", () => { state.draw = (state.draw + 1) % data.bits.length; show(); })),
    said, make("div", {class: "stages"}, stage("x", "dx"), stage("y", "dy")), code(data.line));
  function light(index) { for (const grid of Object.values(grids)) grid.mark({chosen: [index]}); }
  function show() {
    const {keep, y, dx} = compute.dropout(data.x, data.dy, data.bits[state.draw], state.rate), mean = list => list.reduce((a, b) => a + b) / list.length;
    for (const [name, values] of Object.entries({x: data.x, y, dy: data.dy, dx})) grids[name].show(values);
    said.textContent = `${keep.filter(one => !one).length} of ${keep.length} numbers are dropped; the others are multiplied by ${(1 / (1 - state.rate)).toFixed(2)}.`
      + ` Mean of x ${mean(data.x).toFixed(3)}, of y ${mean(y).toFixed(3)}. The zeros of dx are those of y.`;
  }
  show();
  light(0);
  return {state, grids};
};

Figures.kinds.schedule = (place, data) => {
  const {make, slider, choice, plot, compute, short, code, words} = Figures;
  const state = {kind: 3, rate: 0.1, step: 30}, {kinds, steps} = data, said = words(), room = make("div", {class: "stages"});
  place.append(make("div", {class: "controls"}, choice("schedule", kinds, index => { state.kind = index; draw(); }, 3).node,
    slider("largest rate", {min: 0.01, max: 1, step: 0.01, value: 0.1}, value => { state.rate = value; draw(); }).node,
    slider("step", {min: 0, max: steps, step: 1, value: 30}, value => { state.step = value; draw(); }).node), said, room, code(data.line));
  function draw() {
    const chart = plot({width: 420, height: 220, x: [0, steps], y: [0, state.rate * 1.05], axes: ["step", "learning rate"], label: `learning rate over ${steps} steps, ${kinds[state.kind]}`});
    const rate = step => compute.schedule(kinds[state.kind], step, steps, state.rate);
    kinds.forEach((kind, index) => chart.line(Array.from({length: steps + 1}, (_, step) => [step, compute.schedule(kind, step, steps, state.rate)]),
      {stroke: index === state.kind ? "var(--accent)" : "var(--line)"}));
    chart.line(Array.from({length: steps + 1}, (_, step) => [step, rate(step)]), {stroke: "var(--accent)"});
    chart.dot([state.step, rate(state.step)], {r: 6, fill: "var(--wrong)"});
    room.replaceChildren(chart.svg);
    said.replaceChildren(`${kinds[state.kind]}: at step ${state.step} the learning rate is `, make("span", {class: "value"}, short(rate(state.step), 6)), ".");
  }
  draw();
  return {state};
};

Figures.kinds.freezing = (place, data) => {
  const {make, button, compute, code, words} = Figures;
  const state = {trained: [...data.trained]}, said = words(), rows = make("div", {class: "layers"});
  place.append(make("div", {class: "controls"}, button("train only the top", () => set(one => one === state.trained.length - 1)),
    button("freeze only the top", () => set(one => one !== state.trained.length - 1)), button("train everything", () => set(() => true))), rows, said, code(data.line));
  const set = wanted => { state.trained = state.trained.map((one, place) => one === null ? null : wanted(place)); draw(); };
  function draw() {
    const states = compute.visited(state.trained);
    rows.replaceChildren(...data.names.map((name, place) => {
      const trained = state.trained[place], visited = states[place] !== "not visited";
      const toggle = trained === null ? make("span", {class: "layer-switch"}, "no weights")
        : make("button", {type: "button", class: "layer-switch", "aria-pressed": String(trained), onclick: () => {
          state.trained[place] = !trained;
          draw();
          rows.querySelectorAll(".layer")[place].querySelector("button").focus();
        }}, trained ? "trained" : "frozen");
      return make("div", {class: `layer ${visited ? "visited" : ""}`}, make("span", {class: "layer-name"}, name), toggle,
        make("span", {class: "layer-pass"}, "forward →"), make("span", {class: "layer-pass back"}, visited ? "← backward" : ""), make("span", {class: "state"}, states[place]));
    }));
    const count = states.filter(one => one !== "not visited").length;
    said.textContent = count ? `The backward pass visits ${count} of ${states.length} layers: from the top down to the lowest that is trained.`
      : "Nothing is trained, so there is no backward pass at all.";
  }
  draw();
  return {state};
};

Figures.kinds.residual = (place, data) => {
  const {make, slider, plot, compute, code, words} = Figures;
  const state = {slope: 0.5, depth: 20}, said = words(), room = make("div", {class: "stages"});
  place.append(make("div", {class: "controls"},
    slider("slope of each layer F", {min: -1.5, max: 1.5, step: 0.05, value: 0.5}, value => { state.slope = value; draw(); }).node,
    slider("layers", {min: 1, max: 56, step: 1, value: 20}, value => { state.depth = value; draw(); }).node), said, room, code(data.line));
  function draw() {
    const {plain, shortcut} = compute.residual(state.slope, state.depth);
    const chart = plot({width: 420, height: 240, x: [0, state.depth], y: [1e-12, 1e12], axes: ["layers on the way back", "size of the gradient"], log: true, label: "size of the gradient after each layer on the way back"});
    const clip = list => list.map((value, depth) => [depth, Math.min(Math.max(Math.abs(value), 1e-12), 1e12)]);
    chart.line(clip(plain), {stroke: "var(--wrong)"});
    chart.line(clip(shortcut), {stroke: "var(--accent)"});
    room.replaceChildren(chart.svg);
    const power = value => Math.abs(value) >= 1e-3 && Math.abs(value) < 1e4 ? value.toFixed(4).replace("-", "−") : value.toExponential(3).replace("-", "−");
    said.replaceChildren(`Plain (orange): ${state.slope} to the power ${state.depth} = `, make("strong", {class: "plain"}, power(plain[state.depth])),
      `. With shortcuts (blue): (1 + ${state.slope}) to the power ${state.depth} = `, make("strong", {class: "shortcut"}, power(shortcut[state.depth])), ".");
  }
  draw();
  return {state};
};

Figures.kinds.planted = (place, data) => {
  const {make, Grid} = Figures;
  const select = make("select", {"aria-label": "bug", onchange: () => show(data.bugs[select.value])},
    ...data.bugs.map((bug, index) => make("option", {value: index}, bug.title)));
  const room = make("div", {class: "stages"}), symptom = make("p", {class: "film-words"}), said = make("div", {class: "panel"});
  place.append(make("div", {class: "controls"}, make("label", {}, "bug ", select)), symptom, room, said);
  function show(bug) {
    const most = Math.max(...bug.right.concat(bug.wrong).map(Math.abs)), off = bug.wrong.map((one, i) => one - bug.right[i]);
    const size = {rows: bug.rows, columns: bug.columns, cell: 36, numbers: true};
    const grids = [[`${bug.array}, right`, bug.right], [`${bug.array}, with the bug`, bug.wrong], ["the difference", off]].map(([title, values], place) => {
      const grid = new Grid({...size, title, pick: index => grids.forEach(one => one.mark({chosen: [index]}))});
      grid.show(values, most);
      grid.node.dataset.array = ["right", "wrong", "off"][place];
      return grid;
    });
    room.replaceChildren(...grids.map(grid => make("div", {class: "stage"}, grid.node)));
    symptom.textContent = bug.symptom;
    said.replaceChildren(make("strong", {}, "The gradient check says: "), make("span", {class: "verdict"}, bug.verdict));
  }
  show(data.bugs[0]);
  return {show};
};
