// What moves on the page of a run: curves are read at an epoch, a cell of the confusion matrix shows its images, and the
// filters are followed through the epochs. Every number and every word of these is on the page already: without
// scripts the page says the same, only all at once. Nothing is loaded and nothing is sent.
"use strict";
(() => {
  const SVG = document.querySelector("svg")?.namespaceURI;
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

  function make(tag, attributes = {}, ...children) {
    const drawn = ["g", "rect", "circle", "line"].includes(tag);
    const node = drawn ? document.createElementNS(SVG, tag) : document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else node.setAttribute(key, value);
    }
    node.append(...children);
    return node;
  }

  // A slider with its name; `show(number)` returns what is read there, which is said aloud as well.
  function slider(name, first, last, value, show, words) {
    const output = make("output");
    const input = make("input", {type: "range", min: first, max: last, value, "aria-label": name});
    const tell = () => {
      const said = show(Number(input.value));
      output.textContent = words(Number(input.value));
      input.setAttribute("aria-valuetext", said || output.textContent);
    };
    input.addEventListener("input", tell);
    return {input, tell, node: make("label", {class: "control"}, make("span", {}, name), input, output)};
  }

  // Where in a drawing the pointer is, in the drawing's own units.
  function place(svg, event) {
    const box = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  }

  // A chart: the words and the height of each of its curves at every epoch.
  function chart(svg) {
    const [left, right, epochs, top, bottom, low, high] = svg.dataset.scale.split(" ").map(Number);
    const across = epoch => left + (right - left) * (epochs > 1 ? (epoch - 1) / (epochs - 1) : 0.5);
    const curves = all("g[data-words]", svg).map(group => ({name: group.dataset.name, first: Number(group.dataset.first),
      words: group.dataset.words.split(" "), ink: group.querySelector("[stroke]").getAttribute("stroke")}));
    const texts = all("text", svg).map(node => node.textContent); // the title, then the names in the legend
    const rank = curve => (texts.indexOf(curve.name) + 1) || texts.length;
    curves.sort((one, other) => rank(one) - rank(other));
    const title = texts[0], mark = make("g", {class: "mark"}), reading = make("p", {class: "reading"});
    all("title", svg).forEach(node => node.remove()); // the reading below says it, too
    svg.append(mark);
    svg.after(reading);
    function show(wanted, marked) {
      const epoch = clamp(wanted, 1, epochs), x = across(epoch), said = [];
      mark.replaceChildren();
      if (marked) mark.append(make("line", {x1: x, x2: x, y1: top, y2: bottom}));
      for (const curve of curves) {
        const word = curve.words[epoch - curve.first];
        if (!word) continue;
        const value = parseFloat(word) / (word.endsWith("%") ? 100 : 1);
        said.push(curves.length > 1 ? `${curve.name} ${word}` : word);
        if (marked && Number.isFinite(value)) {
          mark.append(make("circle", {cx: x, cy: bottom - (bottom - top) * (value - low) / (high - low), r: 4.5, fill: curve.ink}));
        }
      }
      reading.textContent = `epoch ${epoch}: ${said.join(", ") || "no value"}`;
      return `${title}: ${said.join(", ") || "no value"}`;
    }
    const at = event => Math.round(1 + (epochs - 1) * (place(svg, event)[0] - left) / (right - left));
    return {svg, epochs, show, at: event => clamp(at(event), 1, epochs)};
  }

  // All charts of a section are read at the same epoch: with the slider, the arrow keys on it, the pointer or a finger.
  function readCurves(section) {
    const charts = all("svg[data-scale]", section).map(chart);
    if (!charts.length) return;
    const epochs = Math.max(...charts.map(one => one.epochs));
    let used = false;
    const control = slider("epoch", 1, epochs, epochs,
      epoch => `epoch ${epoch}. ${charts.map(one => one.show(epoch, used)).join(". ")}`, epoch => `${epoch} of ${epochs}`);
    control.tell();
    used = true;
    const point = (one, event) => { control.input.value = one.at(event); control.tell(); };
    for (const one of charts) {
      one.svg.addEventListener("pointerdown", event => point(one, event));
      one.svg.addEventListener("pointermove", event => point(one, event));
    }
    section.querySelector(".charts").before(control.node,
      make("p", {class: "hint"}, "The slider, or a pointer or finger on a chart, reads all curves at one epoch."));
  }

  // The images of the confusion matrix: two lists choose a true and a predicted class, and so does a cell.
  function filterImages(gallery) {
    const names = JSON.parse(gallery.dataset.names);
    const counts = gallery.dataset.counts.split(" ").filter(Boolean).map(cell => cell.split(",").map(Number));
    const groups = all("[data-cell]", gallery).map(node =>
      ({node, cell: node.dataset.cell.split(",").map(Number), shown: node.querySelectorAll("img").length}));
    const status = make("p", {class: "status", "aria-live": "polite"});
    const list = name => make("select", {"aria-label": name, onchange: () => apply()},
      make("option", {value: -1}, "any class"), ...names.map((words, value) => make("option", {value}, words)));
    const lists = [list("true class"), list("predicted class")];
    const listeners = [];

    function apply() {
      const chosen = lists.map(one => Number(one.value));
      const fits = cell => chosen.every((wanted, place) => wanted < 0 || wanted === cell[place]);
      let shown = 0, images = 0;
      for (const group of groups) {
        group.node.hidden = !fits(group.cell);
        if (!group.node.hidden) shown += group.shown;
      }
      for (const [truth, predicted, count] of counts) if (fits([truth, predicted])) images += count;
      const [truth, predicted] = chosen.map(value => value < 0 ? "any class" : names[value]);
      status.textContent = `true class ${truth}, predicted ${predicted}: ` + (images
        ? `${shown} of ${images.toLocaleString("en")} image${images > 1 ? "s" : ""} shown` : "no image");
      listeners.forEach(tell => tell(...chosen));
    }

    function choose(truth, predicted) {
      lists[0].value = truth;
      lists[1].value = predicted;
      gallery.open = true;
      apply();
      status.scrollIntoView({block: "nearest"});
    }

    const fields = lists.map(one => make("label", {}, make("span", {}, one.getAttribute("aria-label")), one));
    gallery.querySelector("summary").after(make("div", {class: "control"}, ...fields,
      make("button", {type: "button", onclick: () => choose(-1, -1)}, "all")), status);
    apply();
    return {names, counts, choose, listeners, status};
  }

  const STEPS = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]};

  // A matrix of numbers: each cell is a button; one of them is reached with Tab, the others with the arrow keys.
  function openTable(table, images) {
    const rows = all("tbody tr", table).map((row, truth) => all("td", row).map((cell, predicted) => {
      const button = make("button", {type: "button", tabindex: -1, "aria-pressed": false, "aria-label": `${cell.title}: show images`,
        onclick: () => { visit(truth, predicted); images.choose(truth, predicted); }}, cell.textContent);
      cell.replaceChildren(button);
      return button;
    }));
    let here = rows[0][0];
    const visit = (truth, predicted) => {
      here.tabIndex = -1;
      here = rows[truth][predicted];
      here.tabIndex = 0;
    };
    visit(0, 0);
    rows.forEach((row, truth) => row.forEach((button, predicted) => button.addEventListener("keydown", event => {
      const [down, right] = STEPS[event.key] || [];
      if (down === undefined) return;
      event.preventDefault();
      visit(clamp(truth + down, 0, rows.length - 1), clamp(predicted + right, 0, row.length - 1));
      here.focus();
    })));
    images.listeners.push((...chosen) => rows.forEach((row, truth) => row.forEach((button, predicted) =>
      button.setAttribute("aria-pressed", truth === chosen[0] && predicted === chosen[1]))));
  }

  // A map of many classes: the pointer chooses a cell; the arrow keys move a frame, and Enter chooses.
  function openMap(svg, images) {
    const [left, top, step, classes] = svg.dataset.map.split(" ").map(Number), cursor = [0, 0];
    const frame = make("rect", {width: step, height: step, class: "frame"});
    svg.append(frame);
    svg.setAttribute("tabindex", 0);
    const move = (truth, predicted) => {
      cursor.splice(0, 2, clamp(truth, 0, classes - 1), clamp(predicted, 0, classes - 1));
      frame.setAttribute("x", left + step * cursor[1]);
      frame.setAttribute("y", top + step * cursor[0]);
    };
    move(0, 0);
    svg.addEventListener("click", event => {
      const [x, y] = place(svg, event), predicted = Math.floor((x - left) / step), truth = Math.floor((y - top) / step);
      if (Math.min(truth, predicted) < 0 || Math.max(truth, predicted) >= classes) return;
      move(truth, predicted);
      images.choose(truth, predicted);
    });
    svg.addEventListener("keydown", event => {
      if (event.key === "Enter" || event.key === " ") images.choose(...cursor);
      else if (STEPS[event.key]) {
        move(cursor[0] + STEPS[event.key][0], cursor[1] + STEPS[event.key][1]);
        const found = images.counts.find(([truth, predicted]) => truth === cursor[0] && predicted === cursor[1]);
        images.status.textContent = `${found ? found[2] : 0} × ${images.names[cursor[0]]}, predicted ${images.names[cursor[1]]}; Enter shows them`;
      } else return;
      event.preventDefault();
    });
    images.listeners.push((truth, predicted) => truth >= 0 && predicted >= 0 && move(truth, predicted));
  }

  // Pictures of several epochs: a slider shows one at a time.
  function play(film) {
    const frames = all("figure", film);
    const words = index => frames[index].querySelector("figcaption").textContent;
    const control = slider("filters", 0, frames.length - 1, frames.length - 1,
      index => frames.forEach((frame, place) => { frame.hidden = place !== index; }), words);
    film.classList.add("alive");
    film.before(control.node);
    control.tell();
  }

  all("section").forEach(readCurves);
  for (const gallery of all("details[data-names]")) {
    const images = filterImages(gallery), section = gallery.closest("section");
    gallery.before(make("p", {class: "hint"}, "A cell shows its images: click it, or reach it with Tab and the arrow keys and press Enter."));
    all("table.confusion", section).forEach(table => openTable(table, images));
    all("svg[data-map]", section).forEach(svg => openMap(svg, images));
  }
  all(".film").forEach(play);
})();
