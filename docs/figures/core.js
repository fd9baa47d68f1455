// What all figures share: elements, grids of cells, sliders, and how a figure starts.
//
// A page holds <div class="figure" data-figure="KIND"> with a still picture and its data as JSON. Where scripts run,
// the figure of that kind takes the still picture's place. Nothing is loaded and nothing is sent.
"use strict";

const Figures = (() => {
  const kinds = {};
  const SVG = "http://www.w3.org/2000/svg";
  const DRAWN = new Set(["svg", "g", "rect", "text", "path", "circle", "line", "title"]);

  // An element; attributes that begin with "on" are listeners, and children may be text.
  function make(tag, attributes = {}, ...children) {
    const node = DRAWN.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else if (value !== undefined && value !== null) node.setAttribute(key, value);
    }
    node.append(...children);
    return node;
  }

  // A number in few characters: 0.25, -1.3, 12, 2.1e-5.
  function short(value, digits = 2) {
    if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
    const size = Math.abs(value);
    if (size < 1e-12) return "0"; // rounding
    let text = size >= 1e5 ? value.toExponential(1) : size >= 100 ? value.toFixed(0) : value.toFixed(digits);
    if (size && Number(text) === 0) text = value.toExponential(0);
    if (text.includes(".") && !text.includes("e")) text = text.replace(/\.?0+$/, "");
    return (text === "-0" ? "0" : text).replace("-", "−");
  }
  const exact = value => Number.isFinite(value) ? value.toFixed(6).replace("-", "−") : short(value);

  // Calls `act(event, start)` where a mouse presses and drags, and where a finger taps or drags to the side; `start` is the
  // event that began it, at the first call alone. A finger that moves up or down scrolls the page and changes nothing,
  // unless it began on a `.handle`.
  function pressed(svg, act) {
    let start = null, free = false; // free: any movement counts
    const tell = event => { act(event, start); start = null; free = true; };
    svg.style.touchAction = "pan-y";
    svg.addEventListener("pointerdown", event => {
      start = event;
      free = event.pointerType !== "touch" || event.target.classList.contains("handle");
      try { svg.setPointerCapture(event.pointerId); } catch { /* a pointer that is already gone */ }
      if (event.pointerType !== "touch") tell(event);
    });
    svg.addEventListener("pointermove", event => {
      const aside = start && Math.abs(event.clientX - start.clientX) > Math.abs(event.clientY - start.clientY);
      if (event.buttons && (free || aside)) tell(event);
    });
    svg.addEventListener("touchmove", event => free && event.cancelable && event.preventDefault(), {passive: false});
    svg.addEventListener("click", event => start && tell(event)); // a finger's tap
  }

  // A matrix of cells that can be pointed at, tapped, and walked through with the arrow keys.
  //
  // rows, columns, cell (pixels, and `across` where a cell is wider than high), title; numbers: whether each cell shows its number; shade: "ink" (0 to 1),
  // "signed" (blue above zero, orange below) or a colour's name; name(index): a cell in words; pick(index): it was chosen.
  class Grid {
    constructor(options) {
      Object.assign(this, {shade: "signed", numbers: false, cell: 30, cursor: 0, text: short, labels: null}, options);
      const {rows, columns, cell} = this, across = this.across ||= cell, gutter = this.gutter = this.labels ? 18 : 0; // words to the left of each row
      this.boxes = [];
      this.words = [];
      this.svg = make("svg", {viewBox: `${-2 - gutter} -2 ${columns * across + 4 + gutter} ${rows * cell + 4}`, role: "img", tabindex: 0,
        style: `width:100%;max-width:${columns * across + 4 + gutter}px;height:auto`,
        onkeydown: event => this.key(event),
        onpointermove: event => this.hover && !event.buttons && event.pointerType === "mouse" && this.point(event)});
      pressed(this.svg, event => this.point(event));
      for (let index = 0; index < rows * columns; index++) {
        const x = index % columns * across, y = Math.floor(index / columns) * cell;
        const box = make("rect", {x, y, width: across, height: cell, class: "cell"});
        this.boxes.push(box);
        this.svg.append(box);
        if (this.numbers) {
          const word = make("text", {x: x + across / 2, y: y + cell / 2 + 4.5, "text-anchor": "middle", class: "number"});
          this.words.push(word);
          this.svg.append(word);
        }
      }
      (this.labels || []).forEach((label, row) => this.svg.append(
        make("text", {x: -6, y: row * cell + cell / 2 + 4.5, "text-anchor": "end", class: "axis"}, label)));
      this.frames = make("g", {class: "frames"});
      this.svg.append(this.frames);
      this.caption = make("div", {class: "matrix-title"}, this.title || "");
      this.node = make("div", {class: "matrix", style: `max-width:${Math.max(columns * across + 4 + gutter, (this.title || "").length > 7 ? 120 : 56)}px`},
        this.caption, this.svg);
      this.label();
    }

    // The values, row by row (null: an empty cell); `largest` is the value of full colour.
    show(values, largest) {
      this.values = values;
      const sizes = values.filter(value => Number.isFinite(value)).map(Math.abs);
      const most = largest || Math.max(...sizes, 1e-30);
      const full = this.numbers ? 0.45 : 1; // a number must stay readable on its cell
      values.forEach((value, index) => {
        const box = this.boxes[index], part = Number.isFinite(value) ? Math.min(Math.abs(value) / most, 1) : 0;
        box.style.fill = this.shade === "signed" ? `var(--${value < 0 ? "pool" : "conv"})` : `var(--${this.shade})`;
        box.style.fillOpacity = this.shade === "ink" && this.numbers ? 0.25 * part : full * part;
        if (this.numbers) {
          const text = value === null ? "" : this.text(value), word = this.words[index];
          word.textContent = text;
          word.setAttribute("font-size", Math.max(8, Math.min(13, (this.across - 4) / (0.6 * Math.max(text.length, 1)))).toFixed(1));
        }
      });
      this.label();
    }

    // Outlines: {class: [indices]}, for example {chosen: [3], fed: [0, 1], feeds: [7]}.
    mark(marks) {
      const seen = this.frames;
      seen.replaceChildren();
      for (const [kind, indices] of Object.entries(marks)) {
        if (kind === "chosen" && indices.length) this.cursor = indices[0];
        for (const index of new Set(indices)) {
          const x = index % this.columns * this.across, y = Math.floor(index / this.columns) * this.cell;
          const inset = Math.min(1.5, this.cell / 8);
          seen.append(make("rect", {x: x + inset, y: y + inset, width: this.across - 2 * inset,
            height: this.cell - 2 * inset, class: `mark ${kind}`}));
        }
      }
      this.label();
    }

    label() {
      const value = this.values && this.values[this.cursor];
      const words = value === undefined || value === null ? "" : `: ${this.called(this.cursor)} ${short(value, 4)}`;
      this.svg.setAttribute("aria-label", `${this.title || "numbers"}${words}`);
    }

    called(index) {
      return this.name ? this.name(index) : `row ${Math.floor(index / this.columns) + 1}, column ${index % this.columns + 1}`;
    }

    choose(index) {
      this.cursor = index;
      this.label();
      if (this.pick) this.pick(index);
    }

    point(event) {
      const box = this.svg.getBoundingClientRect(), scale = box.width / (this.columns * this.across + 4 + this.gutter);
      const column = Math.floor(((event.clientX - box.left) / scale - 2 - this.gutter) / this.across);
      const row = Math.floor(((event.clientY - box.top) / scale - 2) / this.cell);
      if (row >= 0 && row < this.rows && column >= 0 && column < this.columns) this.choose(row * this.columns + column);
    }

    key(event) {
      const [down, right] = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0],
        Enter: [0, 0], " ": [0, 0]}[event.key] || [];
      if (down === undefined) return;
      event.preventDefault();
      const row = Math.floor(this.cursor / this.columns) + down, column = this.cursor % this.columns + right;
      if (row >= 0 && row < this.rows && column >= 0 && column < this.columns) this.choose(row * this.columns + column);
    }
  }

  // A slider with its name and its value in words; `change(value)` is called at once and at every move.
  function slider(name, {min, max, step, value, words = v => short(v, 3)}, change) {
    const output = make("output", {});
    const input = make("input", {type: "range", min, max, step, value, "aria-label": name});
    const tell = () => {
      output.textContent = words(Number(input.value));
      input.setAttribute("aria-valuetext", output.textContent);
    };
    input.addEventListener("input", () => { tell(); change(Number(input.value)); });
    tell();
    return {node: make("label", {class: "slider"}, make("span", {}, name), input, output), input, tell};
  }

  // Buttons of which one is pressed; `change(index)` when another is.
  function choice(name, options, change, first = 0) {
    const buttons = options.map((option, index) =>
      make("button", {type: "button", onclick: () => { press(index); change(index); }}, option));
    const press = index => buttons.forEach((button, place) => button.setAttribute("aria-pressed", String(place === index)));
    press(first);
    return {node: make("div", {class: "choice", role: "group", "aria-label": name},
      make("span", {class: "choice-name"}, name), ...buttons), press};
  }

  const button = (words, click) => make("button", {type: "button", onclick: click}, words);
  const words = (text = "") => make("div", {class: "words", "aria-live": "polite"}, text);

  // The line of the engine that computes what is shown, with a link where the page says where the source is.
  function code(line) {
    if (!line) return "";
    const place = `${line.path}, line ${line.number}`, source = document.querySelector("[data-source]");
    const address = source && `${source.dataset.source}/${line.path}.html#__codelineno-0-${line.number}`;
    return make("div", {class: "engine-line"}, make("code", {}, line.code),
      make("span", {class: "engine-place"}, source ? make("a", {href: address}, place) : place));
  }

  function start(root) {
    const maker = kinds[root.dataset.figure];
    if (!maker || root.classList.contains("alive")) return;
    const place = make("div", {class: "stage-room"});
    root.figure = maker(place, JSON.parse(root.querySelector("script").textContent));
    root.append(place);
    root.classList.add("alive");
  }

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll(".figure").forEach(start));
  return {kinds, make, short, exact, Grid, pressed, slider, choice, button, words, code, start};
})();
