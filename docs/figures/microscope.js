// The gradient microscope: one step of a small network, cell by cell. A chosen cell shows what fed it, with all products
// and their sum, and what it feeds, forward and backward; the steps of the film are forward, backward and update.
"use strict";

Figures.kinds.microscope = (place, data) => {
  const {make, short, exact, Grid, choice, button, words, code} = Figures;
  const {Net, flat, unflat} = Figures.rules;
  const net = new Net(data.arrays), first = JSON.stringify(data.arrays);
  const state = {step: data.film.length - 1, chosen: null, slice: Object.fromEntries(data.slices.map(s => [s.key, s.first]))};
  const views = [];

  // The places of an array that a view shows: its pattern has "r" and "c" for row and column, and a slice's key or a number.
  const indexOf = (view, row, column) => flat(net.arrays[view.array].shape, view.pattern.map(part =>
    part === "r" ? row : part === "c" ? column : part in state.slice ? state.slice[part] : part));
  const places = view => Array.from({length: view.rows * view.columns}, (_, index) =>
    indexOf(view, Math.floor(index / view.columns), index % view.columns));
  const known = array => data.film.slice(0, state.step + 1).some(step => step.shown.includes(array));
  const called = (name, index) => {
    const {shape, label} = net.arrays[name];
    return `${label || name}${shape.length === 1 && shape[0] === 1 ? "" : `[${unflat(shape, index).join(", ")}]`}`;
  };

  const stages = make("div", {class: "stages"});
  for (const stage of data.stages) {
    const column = make("div", {class: "stage"});
    for (const spec of stage) {
      const view = {...spec, grid: null};
      view.grid = new Grid({...spec, name: index => called(spec.array, places(view)[index]),
        pick: index => known(spec.array) && choose(spec.array, places(view)[index])});
      view.grid.node.dataset.array = spec.array;
      views.push(view);
      column.append(view.grid.node);
    }
    stages.append(column);
  }

  const filmWords = make("p", {class: "film-words", "aria-live": "polite"});
  const back = button("◀ back", () => go(state.step - 1)), forth = button("next ▶", () => go(state.step + 1));
  const strip = make("input", {type: "range", min: 0, max: data.film.length - 1, step: 1, "aria-label": "step of the film",
    oninput: event => go(Number(event.target.value))});
  const count = make("span", {});
  const play = button("▶ play", () => timer ? stop() : run());
  const film = make("div", {class: "controls film"}, play, back, strip, forth, count);
  let timer = null;
  const stop = () => {
    clearInterval(timer);
    timer = null;
    play.textContent = "▶ play";
  };
  const run = () => {
    go(state.step === data.film.length - 1 ? 0 : state.step + 1);
    timer = setInterval(() => state.step < data.film.length - 1 ? go(state.step + 1) : stop(), 3000);
    play.textContent = "■ stop";
  };
  for (const kind of ["pointerdown", "keydown", "input"]) // the reader takes over
    place.addEventListener(kind, event => timer && event.target !== play && stop(), true);
  const slices = make("div", {class: "controls"}, ...data.slices.map(slice => choice(slice.name, slice.options, index => {
    state.slice[slice.key] = index;
    const view = state.chosen && views.find(one => one.array === state.chosen.name);
    const at = view ? view.grid.cursor : 0;
    draw();
    if (view) choose(view.array, places(view)[at]);
  }, slice.first).node));

  const fedPanel = make("div", {class: "panel"}), feedsPanel = make("div", {class: "panel"});
  const edit = make("div", {class: "controls edit"});
  const panels = make("div", {class: "panels", "aria-live": "polite"}, fedPanel, feedsPanel);
  place.append(film, filmWords, slices, stages, edit, panels);

  if (data.editable) {
    const change = by => {
      const {name, index} = state.chosen;
      net.arrays[name].values[index] += by;
      again();
    };
    const again = () => { net.compute(); draw(); choose(state.chosen.name, state.chosen.index); };
    const reset = () => {
      for (const [name, array] of Object.entries(JSON.parse(first))) net.arrays[name].values = array.values;
      net.users = null;
      draw();
      choose(state.chosen.name, state.chosen.index);
    };
    const less = button("− 0.5", () => change(-0.5)), more = button("+ 0.5", () => change(0.5));
    const said = words();
    edit.append(less, more, ...(net.arrays.kernel_new ? [button("take this step", () => {
      net.arrays.kernel.values = [...net.arrays.kernel_new.values];
      again();
    })] : []), button("start again", reset), said);
    edit.tell = () => {
      const may = state.chosen && data.editable.includes(state.chosen.name);
      less.disabled = more.disabled = !may;
      said.textContent = may ? `changes ${called(state.chosen.name, state.chosen.index)}`
        : `choose a cell of ${data.editable.join(", ")} to change it`;
    };
  }

  function draw() {
    for (const view of views) {
      const all = places(view).map(index => net.arrays[view.array].values[index]);
      const seen = known(view.array);
      view.grid.show(seen ? all : all.map(() => null), view.largest);
    }
  }

  function light() {
    const {name, index} = state.chosen;
    const terms = net.terms(name, index), fed = terms ? Net.cells(terms) : [];
    const feeds = Object.fromEntries(Object.entries(net.feeds(name, index)).filter(([user]) => known(user)));
    for (const view of views) {
      const shown = new Map(places(view).map((one, spot) => [one, spot]));
      const here = list => list.map(one => shown.get(one)).filter(spot => spot !== undefined);
      view.grid.mark({feeds: here(feeds[view.array] || []), fed: here(fed.filter(cell => cell.name === view.array).map(cell => cell.index)),
        chosen: view.array === name ? here([index]) : []});
    }
    return {terms, feeds};
  }

  // `name`, `index` of a cell: lit up with everything that belongs to it, and explained.
  function choose(name, index) {
    state.chosen = {name, index};
    const {terms, feeds} = light();
    const value = net.arrays[name].values[index], title = called(name, index);
    fedPanel.replaceChildren(make("h4", {class: "fed-title"}, terms ? `What fed ${title}` : `${title} is given`));
    if (terms) {
      const all = make("div", {class: "products"});
      const size = factors => -Math.abs(Net.sum([factors]));
      const largest = terms.length > 12 ? [...terms].sort((a, b) => size(a) - size(b)).slice(0, 12) : terms;
      for (const factors of largest) all.append(make("span", {}, factors.map(one => short(one.value, 3)).join(" × ")), " ");
      if (terms.length > 12) all.append(`and ${terms.length - 12} smaller ones`);
      fedPanel.append(all);
    }
    const sum = make("div", {class: "sum"}, `${title} = `, make("span", {class: "value"}, exact(value)));
    if (terms && terms.length > 1) sum.append(` (the sum of ${terms.length})`);
    fedPanel.append(sum, code(data.lines[name]));
    const users = Object.entries(feeds);
    feedsPanel.replaceChildren(make("h4", {class: "feeds-title"}, users.length ? `What ${title} feeds` : `${title} feeds nothing${Object.keys(net.feeds(name, index)).length ? " yet" : ""}`));
    for (const [user, cells] of users)
      feedsPanel.append(make("div", {}, cells.length === 1 ? called(user, cells[0]) : `${cells.length} cells of ${net.arrays[user].label || user}`),
        code(data.lines[user]));
    if (edit.tell) edit.tell();
    return {value, sum: terms && Net.sum(terms)};
  }

  function go(step) {
    state.step = Math.max(0, Math.min(step, data.film.length - 1));
    const {title, words: text, focus} = data.film[state.step];
    strip.value = state.step;
    strip.setAttribute("aria-valuetext", title);
    back.disabled = state.step === 0;
    forth.disabled = state.step === data.film.length - 1;
    count.textContent = `${state.step + 1} of ${data.film.length}`;
    filmWords.replaceChildren(make("strong", {}, `${title}. `), text);
    draw();
    choose(focus[0], flat(net.arrays[focus[0]].shape, focus[1].map(part => part in state.slice ? state.slice[part] : part)));
  }

  go(data.begin || 0);
  return {net, choose, go, state, views};
};
