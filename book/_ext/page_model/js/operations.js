// PyTorch's operations as a tape names them, on tensors (tensors.js).

import { axis, blank, both, each, exp, expand, mapped, permute, sizeOf, stridesOf, tensor } from "./tensors.js";

// Entries begin, begin + step, … along an axis.
function part(x, dim, begin, count, step = 1) {
  const strides = stridesOf(x.shape);
  const shape = x.shape.with(dim, count);
  return mapped("x", shape, [x.data, strides.with(dim, strides[dim] * step), begin * strides[dim]]);
}

function split(x, sizes, dim = 0) {
  const d = axis(x.shape, dim);
  const all = Array.isArray(sizes) ? sizes : Array.from({ length: Math.ceil(x.shape[d] / sizes) }, (_, i) => Math.min(sizes, x.shape[d] - i * sizes));
  let begin = 0;
  return all.map((count) => part(x, d, (begin += count) - count, count));
}

function cat(all, dim = 0) {
  const some = all.filter((x) => x.data.length);
  const d = axis(some[0].shape, dim);
  const shape = some[0].shape.with(d, some.reduce((sum, x) => sum + x.shape[d], 0));
  const [outer, inner] = [sizeOf(shape.slice(0, d)), sizeOf(shape.slice(d + 1))];
  const made = blank(shape);
  let to = 0;
  for (let o = 0; o < outer; o++) {
    for (const { data, shape: own } of some) {
      const run = own[d] * inner;
      made.data.set(data.subarray(o * run, (o + 1) * run), to);
      to += run;
    }
  }
  return made;
}

// Over some axes; `finish` is told the sum (or what `step` made of it) and how many there were.
const over = (step, first, finish = (value) => value) => (x, dims, keep = false) => {
  const along = (dims?.length ? dims : x.shape.map((_, i) => i)).map((d) => axis(x.shape, d));
  const stay = x.shape.map((_, i) => i).filter((d) => !along.includes(d));
  const moved = permute(x, [...stay, ...along]);
  const count = sizeOf(along.map((d) => x.shape[d]));
  const made = tensor(keep ? x.shape.map((side, d) => (along.includes(d) ? 1 : side)) : stay.map((d) => x.shape[d]));
  for (let i = 0, f = 0; i < made.data.length; i++) {
    let value = first;
    for (let n = 0; n < count; n++) value = step(value, moved.data[f++]);
    made.data[i] = finish(value, count);
  }
  return made;
};

function argmax(x, dim) {
  const d = axis(x.shape, dim);
  const [outer, count, inner] = [sizeOf(x.shape.slice(0, d)), x.shape[d], sizeOf(x.shape.slice(d + 1))];
  const made = tensor(x.shape.toSpliced(d, 1));
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      let best = 0;
      for (let n = 1; n < count; n++) if (x.data[(o * count + n) * inner + i] > x.data[(o * count + best) * inner + i]) best = n;
      made.data[o * inner + i] = best;
    }
  }
  return made;
}

export function softmax(from, to, rows, count) { // row by row; to may be from
  for (let r = 0, at = 0; r < rows; r++, at += count) {
    let [most, total] = [-Infinity, 0];
    for (let i = at; i < at + count; i++) most = Math.max(most, from[i]);
    for (let i = at; i < at + count; i++) total += to[i] = exp(from[i] - most);
    const share = 1 / total;
    for (let i = at; i < at + count; i++) to[i] *= share;
  }
}

function transpose(x, a, b) {
  const order = x.shape.map((_, i) => i);
  const [one, two] = [axis(x.shape, a), axis(x.shape, b)];
  [order[one], order[two]] = [two, one];
  return permute(x, order);
}

function softmaxAlong(x, dim) {
  const turned = transpose(x, dim, -1);
  const made = blank(turned.shape);
  softmax(turned.data, made.data, made.data.length / made.shape.at(-1), made.shape.at(-1));
  return transpose(made, dim, -1);
}

function padded(x, pads, value = 0) { // pads: of the last axis first, before and after
  let made = x;
  for (let i = 0; i < pads.length / 2; i++) {
    const d = x.shape.length - 1 - i;
    for (const [side, count] of [[0, pads[2 * i]], [1, pads[2 * i + 1]]]) {
      if (!count) continue;
      const more = tensor(made.shape.with(d, count));
      more.data.fill(value);
      made = cat(side ? [made, more] : [more, made], d);
    }
  }
  return made;
}

function solve(A, B) { // square A (n, n), B (n, m)
  const [n, m] = B.shape;
  const [a, b] = [Float64Array.from(A.data), Float64Array.from(B.data)];
  for (let i = 0; i < n; i++) { // symmetric and positive, so no pivots
    for (let r = 0; r < n; r++) {
      if (r === i) continue;
      const share = a[r * n + i] / a[i * n + i];
      for (let c = i; c < n; c++) a[r * n + c] -= share * a[i * n + c];
      for (let c = 0; c < m; c++) b[r * m + c] -= share * b[i * m + c];
    }
  }
  return tensor([n, m], Float32Array.from(b, (value, i) => value / a[Math.floor(i / m) * (n + 1)]));
}

const same = (x) => x;
export const OPERATIONS = {
  view: same, unsafe_view: same, reshape_alias: same, unsqueeze: same, squeeze: same, clone: same, detach: same, alias: same, to_copy: same,
  permute, expand, transpose,
  t: (x) => (x.shape.length < 2 ? x : permute(x, [1, 0])),
  select: (x, dim, index) => {
    const d = axis(x.shape, dim);
    return part(x, d, index < 0 ? index + x.shape[d] : index, 1);
  },
  slice: (x, dim = 0, begin = 0, end = Infinity, step = 1) => {
    const d = axis(x.shape, dim);
    const [from, to] = [begin ?? 0, end ?? Infinity].map((at) => Math.min(Math.max(at < 0 ? at + x.shape[d] : at, 0), x.shape[d]));
    return part(x, d, from, Math.max(0, Math.ceil((to - from) / step)), step);
  },
  flip: (x, dims) => dims.reduce((made, dim) => part(made, axis(x.shape, dim), x.shape.at(dim) - 1, x.shape.at(dim), -1), x),
  split, split_with_sizes: split,
  unbind: (x, dim = 0) => split(x, 1, dim),
  cat,
  stack: (all, dim = 0) => cat(all.map((x) => tensor(x.shape.toSpliced(dim < 0 ? dim + x.shape.length + 1 : dim, 0, 1), x.data)), dim),
  repeat: (x, times) => times.reduceRight((made, count, d) => cat(Array(count).fill(made), d), x),
  constant_pad_nd: padded,
  add: (a, b, { alpha = 1 } = {}) => both(alpha === 1 ? "x + y" : `x + ${alpha} * y`)(a, b), sub: both("x - y"), rsub: both("y - x"),
  mul: both("x * y"), div: both("x / y"), eq: both("x === y"), bitwise_and: both("x && y"), gt: both("x > y"), pow: both("x ** y"),
  where: (test, a, b) => both("x + y")(both("x ? y : 0")(test, a), both("x ? 0 : y")(test, b)),
  silu: each("x / (1 + exp(-x))"), sigmoid: each("1 / (1 + exp(-x))"), relu: each("x > 0 ? x : 0"),
  gelu: each("0.5 * x * (1 + erf(x * Math.SQRT1_2))"),
  sin: each("Math.sin(x)"), cos: each("Math.cos(x)"), exp: each("exp(x)"), log: each("Math.log(x)"), sqrt: each("Math.sqrt(x)"),
  neg: each("-x"), floor: each("Math.floor(x)"), reciprocal: each("1 / x"),
  clamp: (x, low, high) => each(`Math.min(${high ?? Infinity}, Math.max(${low ?? -Infinity}, x))`)(x),
  sum: over((a, b) => a + b, 0), mean: over((a, b) => a + b, 0, (value, count) => value / count), amax: over(Math.max, -Infinity), amin: over(Math.min, Infinity),
  any: (x, dim, keep) => over((a, b) => +(a || b !== 0), 0)(x, dim === undefined ? [] : [dim], keep),
  argmax,
  scatter: (x, dim, index, value) => { // of a number, along the last axis
    const made = tensor(x.shape, x.data.slice());
    index.data.forEach((to, i) => { made.data[i * x.shape.at(-1) + to] = value; });
    return made;
  },
  linalg_solve_ex: (a, b) => [solve(a, b)],
  ones_like: each("1"),
  softmax: softmaxAlong, safe_softmax: softmaxAlong,
};
