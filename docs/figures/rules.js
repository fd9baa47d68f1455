// How each number of a small network is made, as a sum of products. The same rules light up what fed a number, say its
// products, and compute it again where the reader has changed something.
"use strict";

Figures.rules = (() => {
  const flat = (shape, at) => at.reduce((sum, place, axis) => sum * shape[axis] + place, 0);
  const unflat = (shape, index) => {
    const at = [];
    for (let axis = shape.length - 1; axis >= 0; axis--) { at[axis] = index % shape[axis]; index = Math.floor(index / shape[axis]); }
    return at;
  };

  // kinds[kind](get, rule, at) gives the terms of one number: each a list of factors. A factor is get(name, at), a number
  // of an array, or {value} alone. `also` lists the cells that decide a factor without being one.
  const kinds = {
    conv(get, {of: [x, w, b], window: [KH, KW, C]}, [i, j, k]) {
      const terms = [];
      for (let p = 0; p < KH; p++) for (let q = 0; q < KW; q++) for (let c = 0; c < C; c++)
        terms.push([get(x, [i + p, j + q, c]), get(w, [p, q, c, k])]);
      if (b) terms.push([get(b, [k])]);
      return terms;
    },
    conv_input(get, {of: [dy, w], window: [KH, KW], out: [OH, OW, K]}, [h, v, c]) {
      const terms = [];
      for (let k = 0; k < K; k++) for (let p = 0; p < KH; p++) for (let q = 0; q < KW; q++) {
        const i = h - p, j = v - q; // the window at (i, j) saw this pixel under its weight (p, q)
        if (i >= 0 && j >= 0 && i < OH && j < OW) terms.push([get(dy, [i, j, k]), get(w, [p, q, c, k])]);
      }
      return terms;
    },
    conv_kernel(get, {of: [x, dy], out: [OH, OW]}, [p, q, c, k]) {
      const terms = [];
      for (let i = 0; i < OH; i++) for (let j = 0; j < OW; j++) terms.push([get(dy, [i, j, k]), get(x, [i + p, j + q, c])]);
      return terms;
    },
    relu(get, {of: [s]}, at) {
      const score = get(s, at);
      return [[score, {value: score.value > 0 ? 1 : 0}]];
    },
    relu_back(get, {of: [dy, s]}, at) {
      const score = get(s, at);
      return [[get(dy, at), {value: score.value > 0 ? 1 : 0, also: [score]}]];
    },
    pool(get, {of: [y], window: [KH, KW]}, [i, j, k]) {
      const cells = [];
      for (let p = 0; p < KH; p++) for (let q = 0; q < KW; q++) cells.push(get(y, [i * KH + p, j * KW + q, k]));
      const most = Math.max(...cells.map(cell => cell.value)), winner = cells.findIndex(cell => cell.value === most);
      return cells.map((cell, place) => [cell, {value: place === winner ? 1 : 0}]);
    },
    pool_back(get, {of: [dy, y], window: [KH, KW]}, [h, v, k]) {
      const i = Math.floor(h / KH), j = Math.floor(v / KW);
      const window = kinds.pool(get, {of: [y], window: [KH, KW]}, [i, j, k]);
      const own = window[(h - i * KH) * KW + v - j * KW];
      return [[get(dy, [i, j, k]), {value: own[1].value, also: window.map(term => term[0])}]];
    },
    dense(get, {of: [x, w, b], input: [H, W, C]}, [u]) {
      const terms = [];
      for (let i = 0; i < H; i++) for (let j = 0; j < W; j++) for (let c = 0; c < C; c++)
        terms.push([get(x, [i, j, c]), get(w, [i, j, c, u])]);
      return [...terms, [get(b, [u])]];
    },
    dense_input(get, {of: [dy, w], units}, at) {
      return Array.from({length: units}, (_, u) => [get(dy, [u]), get(w, [...at, u])]);
    },
    dense_kernel(get, {of: [x, dy]}, at) { return [[get(x, at.slice(0, 3)), get(dy, at.slice(3))]]; },
    // a @ b, where `ta` and `tb` say which of the two is transposed
    product(get, {of: [a, b, bias], inner, ta, tb}, [i, j]) {
      const terms = Array.from({length: inner}, (_, d) => [get(a, ta ? [d, i] : [i, d]), get(b, tb ? [j, d] : [d, j])]);
      return bias ? [...terms, [get(bias, [j])]] : terms;
    },
    column_sum(get, {of: [a], rows}, [j]) { return Array.from({length: rows}, (_, i) => [get(a, [i, j])]); },
    softmax(get, {of: [s], units}, [u]) {
      const scores = Array.from({length: units}, (_, v) => get(s, [v]));
      const most = Math.max(...scores.map(score => score.value));
      const e = scores.map(score => Math.exp(score.value - most));
      return [[{value: e[u], also: scores}, {value: 1 / e.reduce((a, b) => a + b)}]];
    },
    minus(get, {of: [a, b]}, at) { return [[get(a, at)], [{value: -1}, get(b, at)]]; },
    squared_error(get, {of: [y, t], out, count}) {
      return Array.from({length: count}, (_, index) => {
        const a = get(y, unflat(out, index)), b = get(t, unflat(out, index)), apart = {value: a.value - b.value, also: [a, b]};
        return [apart, apart, {value: 1 / count}];
      });
    },
    squared_error_back(get, {of: [y, t], count}, at) {
      return [[{value: 2 / count}, get(y, at)], [{value: -2 / count}, get(t, at)]];
    },
    surprise(get, {of: [p], label_of}) {
      const right = get(p, [label_of]);
      return [[{value: -1}, {value: Math.log(right.value), also: [right]}]];
    },
    // matrix . a . matrix^T, in which the matrix is of known small numbers
    sandwich(get, {of: [a], matrix}, [i, j]) {
      const terms = [];
      matrix[i].forEach((left, p) => matrix[j].forEach((right, q) => left * right && terms.push([get(a, [p, q]), {value: left * right}])));
      return terms;
    },
    times(get, {of: [a, b]}, at) { return [[get(a, at), get(b, at)]]; },
    update(get, {of: [w, dw], rate}, at) { return [[get(w, at)], [{value: -rate}, get(dw, at)]]; },
  };

  // A network of arrays {name: {shape, values, rule}}.
  class Net {
    constructor(arrays) { this.arrays = arrays; }

    get(name, at) {
      const {shape, values} = this.arrays[name], index = flat(shape, at);
      return {name, index, value: values[index]};
    }

    // The terms of one number, or null for what is given.
    terms(name, index) {
      const {rule, shape} = this.arrays[name];
      return rule ? kinds[rule.kind]((other, at) => this.get(other, at), rule, unflat(shape, index)) : null;
    }

    static sum(terms) { return terms.reduce((sum, factors) => sum + factors.reduce((all, one) => all * one.value, 1), 0); }

    static cells(terms) {
      return terms.flat().flatMap(factor => [...(factor.name ? [factor] : []), ...(factor.also || [])]);
    }

    compute() { // in the order of the arrays, so that each finds its own inputs computed
      for (const [name, array] of Object.entries(this.arrays))
        if (array.rule) array.values = array.values.map((_, index) => Net.sum(this.terms(name, index)));
      this.users = null;
    }

    // The cells that a number feeds, as {name: [indices]}.
    feeds(name, index) {
      if (!this.users) {
        this.users = new Map();
        for (const [user, array] of Object.entries(this.arrays)) {
          if (!array.rule) continue;
          array.values.forEach((_, place) => {
            for (const cell of Net.cells(this.terms(user, place))) {
              const key = cell.name + " " + cell.index;
              if (!this.users.has(key)) this.users.set(key, {});
              (this.users.get(key)[user] ||= new Set()).add(place);
            }
          });
        }
      }
      const found = this.users.get(name + " " + index) || {};
      return Object.fromEntries(Object.entries(found).map(([user, places]) => [user, [...places]]));
    }
  }

  return {kinds, Net, flat, unflat};
})();
