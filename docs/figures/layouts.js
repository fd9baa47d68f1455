// im2col and col2im, max pooling, and softmax with cross-entropy: what a reader changes is computed again at once.
"use strict";

Figures.kinds.im2col = (place, data) => {
  const {make, Grid, choice, compute, short, code, words} = Figures;
  const {size, window, kernel, dy} = data, state = {stride: 1, padding: 0, pixel: 12, copy: null};
  const stages = make("div", {class: "stages"}), said = words();
  place.append(make("div", {class: "controls"},
    choice("padding", ["0", "1"], value => { state.padding = value; build(); }).node,
    choice("stride", ["1", "2", "3"], value => { state.stride = value + 1; build(); }).node), said, stages,
    make("div", {class: "panels"}, make("div", {class: "panel"}, code(data.lines.im2col)), make("div", {class: "panel"}, code(data.lines.col2im))));
  let grids, result;

  function build() { // a padding or a stride changes the shapes
    const pixels = compute.im2col(size, window, state.stride, state.padding), taps = window * window;
    const columns = pixels.map((_, row) => kernel.map(weight => dy[row] * weight)); // dcolumns = dy @ kernel.T
    const dx = compute.col2im(columns, pixels, size), whole = size + 2 * state.padding;
    result = {pixels, columns, dx};
    const padded = Array.from({length: whole * whole}, (_, index) => {
      const h = Math.floor(index / whole) - state.padding, w = index % whole - state.padding;
      return h >= 0 && w >= 0 && h < size && w < size ? h * size + w : -1;
    });
    const number = value => value < 0 ? "·" : String(value + 1), tall = {cell: 24, across: 32, rows: pixels.length, columns: taps, numbers: true, hover: true};
    const copy = index => choose(pixels.flat()[index], index);
    grids = {
      image: new Grid({title: "image, pixels numbered (· padding)", rows: whole, columns: whole, cell: 32, numbers: true, shade: "panel", hover: true,
        text: number, pick: index => choose(padded[index], null)}),
      columns: new Grid({...tall, title: "columns: one row for each window", shade: "panel", text: number, pick: copy}),
      dcolumns: new Grid({...tall, title: "dcolumns: what each copy received", pick: copy}),
      dx: new Grid({title: "dx: its copies added up", rows: size, columns: size, cell: 38, numbers: true, hover: true, pick: index => choose(index, null)}),
    };
    grids.image.show(padded);
    grids.columns.show(pixels.flat());
    grids.dcolumns.show(columns.flat());
    grids.dx.show(dx);
    grids.image.padded = padded;
    stages.replaceChildren(...Object.entries(grids).map(([name, grid]) => {
      grid.node.dataset.array = name;
      return make("div", {class: "stage"}, grid.node);
    }));
    choose(Math.min(state.pixel, size * size - 1), null);
  }

  // A pixel (-1: padding), by its place in the image or by one of its copies, whose window is framed too.
  function choose(pixel, copy) {
    state.pixel = pixel;
    const flat = result.pixels.flat(), taps = window * window;
    const copies = flat.map((one, index) => one === pixel && pixel >= 0 ? index : -1).filter(index => index >= 0);
    const inWindow = copy === null ? [] : result.pixels[Math.floor(copy / taps)].map((_, tap) => Math.floor(copy / taps) * taps + tap);
    const spots = copy === null ? [] : seen(Math.floor(copy / taps));
    const chosen = copy === null ? [] : [copy];
    grids.image.mark({fed: spots, chosen: grids.image.padded.map((one, index) => one === pixel && pixel >= 0 ? index : -1).filter(i => i >= 0)});
    grids.columns.mark({fed: inWindow, feeds: copies, chosen});
    grids.dcolumns.mark({fed: [], feeds: copies, chosen});
    grids.dx.mark({chosen: pixel >= 0 ? [pixel] : []});
    if (pixel < 0) said.textContent = "Padding: a copy of no pixel. What it receives is cut off.";
    else {
      const parts = copies.map(index => short(result.columns.flat()[index]));
      said.replaceChildren(`Pixel ${pixel + 1} is copied ${copies.length === 1 ? "once" : `${copies.length} times`}. `
        + (copies.length ? `Its gradient is ${parts.length > 1 ? parts.join(" + ").replaceAll("+ −", "− ") + " = " : ""}`
          : "No window looks at it, so its gradient is "), make("span", {class: "value"}, short(result.dx[pixel], 4)), ".");
    }
  }

  const seen = row => { // the cells of the padded image under a window
    const whole = size + 2 * state.padding, out = Math.floor((whole - window) / state.stride) + 1, cells = [];
    for (let p = 0; p < window; p++) for (let q = 0; q < window; q++)
      cells.push((Math.floor(row / out) * state.stride + p) * whole + row % out * state.stride + q);
    return cells;
  };
  build();
  return {state, choose, get grids() { return grids; }, get result() { return result; }};
};

Figures.kinds.pool = (place, data) => {
  const {make, Grid, choice, button, compute, short, code, words} = Figures;
  const {size} = data, state = {x: [...data.x], window: 2, stride: 2, chosen: 0};
  const stages = make("div", {class: "stages"}), said = words();
  const change = by => { state.x[state.chosen] += by; show(); choose(state.chosen); };
  const shapes = [["2x2, stride 2", 2, 2], ["2x2, stride 1", 2, 1], ["3x3, stride 1", 3, 1]];
  place.append(make("div", {class: "controls"},
    choice("window", shapes.map(shape => shape[0]), index => { [, state.window, state.stride] = shapes[index]; build(); }).node,
    button("− 1", () => change(-1)), button("+ 1", () => change(1)),
    button("all equal", () => { state.x.fill(3); show(); choose(state.chosen); }), button("start again", () => { state.x = [...data.x]; show(); choose(0); })),
    said, stages, code(data.line));
  let grids, result;

  const under = window => {
    const cells = [], row = Math.floor(window / result.out) * state.stride, column = window % result.out * state.stride;
    for (let p = 0; p < state.window; p++) for (let q = 0; q < state.window; q++) cells.push((row + p) * size + column + q);
    return cells;
  };
  const won = pixel => result.winner.map((one, window) => one === pixel ? window : -1).filter(window => window >= 0);
  function build() {
    const out = Math.floor((size - state.window) / state.stride) + 1, small = {rows: out, columns: out, cell: 40, numbers: true, hover: true};
    const whole = {rows: size, columns: size, cell: 40, numbers: true, hover: true, pick: choose};
    grids = {x: new Grid({...whole, title: "x"}), y: new Grid({...small, title: "y: the largest of each window", pick: window}),
      dy: new Grid({...small, title: "dy", pick: window}), dx: new Grid({...whole, title: "dx: the winners' gradients"})};
    stages.replaceChildren(...Object.entries(grids).map(([name, grid]) => {
      grid.node.dataset.array = name;
      return make("div", {class: "stage"}, grid.node);
    }));
    show();
    window(0);
  }
  function show() {
    result = compute.pool(state.x, size, state.window, state.stride, data.dy);
    grids.x.show(state.x);
    grids.y.show(result.y);
    grids.dy.show(data.dy.slice(0, result.y.length));
    grids.dx.show(result.dx);
  }
  function window(index) {
    const cells = under(index), equal = cells.filter(cell => state.x[cell] === result.y[index]).length;
    state.chosen = result.winner[index];
    grids.x.mark({fed: cells, chosen: [result.winner[index]]});
    grids.y.mark({chosen: [index]});
    grids.dy.mark({chosen: [index]});
    grids.dx.mark({feeds: [result.winner[index]]});
    said.textContent = `Window ${index + 1}: the largest is ${short(result.y[index])}, and its place gets all of dy = ${short(data.dy[index])}.`
      + (equal > 1 ? ` ${equal} numbers are equal; the first in reading order wins.` : "");
  }
  function choose(pixel) {
    state.chosen = pixel;
    const wins = won(pixel), parts = wins.map(index => short(data.dy[index]));
    grids.x.mark({chosen: [pixel]});
    grids.dx.mark({chosen: [pixel]});
    grids.y.mark({feeds: wins});
    grids.dy.mark({fed: wins});
    said.replaceChildren(wins.length ? `This pixel wins ${wins.length} window${wins.length > 1 ? "s" : ""}: dx = `
      + (wins.length > 1 ? parts.join(" + ").replaceAll("+ −", "− ") + " = " : "") : "This pixel wins no window: dx = ",
      make("span", {class: "value"}, short(result.dx[pixel], 4)), ". The buttons change it.");
  }
  build();
  return {state, choose, get grids() { return grids; }, get result() { return result; }};
};

Figures.kinds.softmax = (place, data) => {
  const {make, slider, choice, button, compute, exact, code, words} = Figures;
  const state = {scores: [...data.scores], label: data.label}, said = words(), rows = [];
  const bar = () => make("div", {class: "bar"}, make("div", {}));
  const table = make("div", {class: "bars"});
  table.append(...["score (drag)", "p", "dscores"].map(words => make("div", {class: "bars-head"}, words)));
  state.scores.forEach((score, k) => {
    const one = slider(`score of class ${k}`, {min: -6, max: 6, step: 0.1, value: score}, value => { state.scores[k] = value; draw(); });
    const [p, dscore] = [bar(), bar()], texts = [make("span", {class: "value"}), make("span", {})];
    rows.push({one, p, dscore, texts});
    table.append(one.node, make("div", {class: "bar-cell"}, p, texts[0]), make("div", {class: "bar-cell"}, dscore, texts[1]));
  });
  const shift = by => {
    rows.forEach(({one}, k) => { one.input.value = state.scores[k] += by; one.tell(); });
    draw();
  };
  place.append(make("div", {class: "controls"}, choice("right class", state.scores.map((_, k) => String(k)),
    label => { state.label = label; draw(); }, state.label).node, button("add 1 to all scores", () => shift(1)),
    button("subtract 1 from all", () => shift(-1))), table, said, code(data.line));
  function draw() {
    const {p, loss, dscores} = compute.softmax(state.scores, state.label);
    rows.forEach((row, k) => {
      const fill = (node, value, colour) => Object.assign(node.firstChild.style, {width: `${Math.abs(value) * 100}%`, background: `var(--${colour})`});
      fill(row.p, p[k], "conv");
      fill(row.dscore, dscores[k], dscores[k] < 0 ? "pool" : "conv");
      row.texts[0].textContent = p[k].toFixed(4);
      row.texts[1].textContent = dscores[k].toFixed(4).replace("-", "−");
    });
    said.replaceChildren(`loss = −log p of class ${state.label} = −log ${p[state.label].toFixed(4)} = `, make("strong", {class: "loss"}, exact(loss)),
      ". dscores is p, minus 1 at the right class; its entries add up to 0.");
  }
  draw();
  return {state};
};
