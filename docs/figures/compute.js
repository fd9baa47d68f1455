// What the figures compute when a reader changes something. Each function is compared with the engine's over random
// inputs (tests/docs/test_docs_figures_compute.py).
"use strict";

Figures.compute = {
  // One neuron: loss, and the chain of slopes back to its weight.
  neuron(w, b, x, t) {
    const s = w * x + b, y = 1 / (1 + Math.exp(-s)), dy = 2 * (y - t), ds = dy * y * (1 - y);
    return {s, y, loss: (y - t) ** 2, dy, ds, dw: ds * x, db: ds};
  },

  // The slope of the neuron's loss by its definition, with a step h to both sides.
  quotient(w, b, x, t, h) {
    const loss = at => Figures.compute.neuron(at, b, x, t).loss;
    return (loss(w + h) - loss(w - h)) / (2 * h);
  },

  // The places that SGD with momentum visits on L = (a w0^2 + b w1^2) / 2, the start first.
  descend([a, b], start, rate, momentum, steps) {
    let w = [...start], m = [0, 0];
    const path = [w];
    for (let step = 0; step < steps; step++) {
      m = [momentum * m[0] - rate * a * w[0], momentum * m[1] - rate * b * w[1]];
      w = [w[0] + m[0], w[1] + m[1]];
      path.push(w);
    }
    return path;
  },

  // Of an image of `size` pixels a side: for each window and tap the pixel's index, or -1 for padding.
  im2col(size, window, stride, padding) {
    const out = Math.floor((size + 2 * padding - window) / stride) + 1, rows = [];
    for (let i = 0; i < out; i++) for (let j = 0; j < out; j++) {
      const row = [];
      for (let p = 0; p < window; p++) for (let q = 0; q < window; q++) {
        const h = i * stride + p - padding, w = j * stride + q - padding;
        row.push(h >= 0 && w >= 0 && h < size && w < size ? h * size + w : -1);
      }
      rows.push(row);
    }
    return rows;
  },

  // Every pixel adds up what its copies received; `pixels` is im2col's result.
  col2im(columns, pixels, size) {
    const dx = new Array(size * size).fill(0);
    pixels.forEach((row, r) => row.forEach((pixel, tap) => { if (pixel >= 0) dx[pixel] += columns[r][tap]; }));
    return dx;
  },

  // Max pooling of one channel; the first of several equal numbers wins.
  pool(x, size, window, stride, dy) {
    const out = Math.floor((size - window) / stride) + 1, y = [], winner = [], dx = new Array(size * size).fill(0);
    for (let i = 0; i < out; i++) for (let j = 0; j < out; j++) {
      let best = -1;
      for (let p = 0; p < window; p++) for (let q = 0; q < window; q++) {
        const place = (i * stride + p) * size + j * stride + q;
        if (best < 0 || x[place] > x[best]) best = place;
      }
      y.push(x[best]);
      winner.push(best);
      dx[best] += dy[y.length - 1];
    }
    return {out, y, winner, dx};
  },

  // Softmax and cross-entropy together, from the scores.
  softmax(scores, label) {
    const most = Math.max(...scores), e = scores.map(score => Math.exp(score - most)), total = e.reduce((a, b) => a + b);
    const p = e.map(one => one / total);
    return {p, loss: Math.log(total) - (scores[label] - most), dscores: p.map((one, k) => one - (k === label ? 1 : 0))};
  },

  // Batch norm of one channel, forward and backward; dx is taken apart into the three terms of its formula.
  batchNorm(x, dy, gamma, beta, epsilon) {
    const mean = list => list.reduce((a, b) => a + b, 0) / list.length;
    const mu = mean(x), variance = mean(x.map(one => (one - mu) ** 2)), spread = Math.sqrt(variance + epsilon);
    const n = x.map(one => (one - mu) / spread), g = dy.map(one => gamma * one);
    const shift = mean(g), scale = mean(g.map((one, i) => one * n[i]));
    return {mean: mu, variance, spread, n, g, shift, scale, y: n.map(one => gamma * one + beta),
      dx: g.map((one, i) => (one - shift - n[i] * scale) / spread),
      dgamma: dy.reduce((sum, one, i) => sum + one * n[i], 0), dbeta: dy.reduce((a, b) => a + b, 0)};
  },

  // Dropout with the 32 random bits of each number as a share of 2^32.
  dropout(x, dy, bits, rate) {
    const keep = bits.map(one => one >= rate ? 1 : 0), scale = 1 / (1 - rate);
    return {keep, y: x.map((one, i) => one * keep[i] * scale), dx: dy.map((one, i) => one * keep[i] * scale)};
  },

  // Learning-rate schedules, as functions of the step.
  schedule(kind, step, steps, rate) {
    const half = (first, last, share) => last + (first - last) * (1 + Math.cos(Math.PI * Math.min(Math.max(share, 0), 1))) / 2;
    if (kind === "Constant") return rate;
    if (kind === "Step") return rate * 0.1 ** Math.floor(step / (steps / 2));
    if (kind === "Cosine") return half(rate, 0, step / steps);
    if (kind === "Triangle") {
      const peak = 0.2 * steps;
      return step < peak ? rate * (0.2 + 0.8 * step / peak) : rate * (1 - Math.min((step - peak) / Math.max(steps - peak, 1), 1));
    }
    const start = rate / 25, peak = 0.3 * steps; // OneCycle
    return step < peak ? half(start, rate, step / peak) : half(rate, start / 1e4, (step - peak) / Math.max(steps - peak, 1));
  },

  // Which layers the backward pass visits: all from the lowest trained layer to the top (null: a layer without weights).
  visited(trained) {
    const lowest = trained.indexOf(true), passes = {true: "trained", false: "frozen, gradient passes", null: "gradient passes"};
    return trained.map((one, place) => lowest < 0 || place < lowest ? "not visited" : passes[one]);
  },

  // The gradient before each of `depth` blocks that multiply by `slope`, plain and with a shortcut around each.
  residual(slope, depth) {
    const plain = [1], shortcut = [1];
    for (let block = 0; block < depth; block++) {
      plain.push(plain[block] * slope);
      shortcut.push(shortcut[block] + shortcut[block] * slope);
    }
    return {plain, shortcut};
  },
};
