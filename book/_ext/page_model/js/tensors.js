// Tensors { shape, data }: data is a Float32Array, row by row, nothing strided. What is computed number by number, or read in
// another order, is computed here.

export const sizeOf = (shape) => shape.reduce((a, b) => a * b, 1);

// Where tensors go: with an engine at work, its memory, whose kernels do what they can.
let home = null;
export const workIn = (engine) => { home = engine; };
// A new tensor, of whatever lay there; more: numbers behind it that may be written too.
export const blank = (shape, more = 0) => {
  const count = sizeOf(shape);
  const data = home ? home.memory.allocate(count + more) : new Float32Array(count + more);
  return { shape, data: more ? data.subarray(0, count) : data };
};
export const tensor = (shape, data = blank(shape).data.fill(0)) => ({ shape, data });

export function stridesOf(shape) {
  const strides = Array(shape.length);
  for (let i = shape.length - 1, step = 1; i >= 0; i--) { strides[i] = step; step *= shape[i]; }
  return strides;
}

const POWERS = Float64Array.from({ length: 2048 }, (_, i) => 2 ** (i - 1023));
export function exp(x) { // to 1e-7, in a third of Math.exp's time
  const t = Math.min(1000, Math.max(-1000, x * Math.LOG2E));
  const whole = Math.floor(t + 0.5);
  const f = (t - whole) * Math.LN2;
  return POWERS[whole + 1023] * (1 + f * (1 + f * (1 / 2 + f * (1 / 6 + f * (1 / 24 + f * (1 / 120 + f / 720))))));
}

function erf(x) { // Abramowitz and Stegun 7.1.26, to 1.5e-7
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const y = 1 - ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t * exp(-x * x);
  return x < 0 ? -y : y;
}

export const axis = (shape, dim) => (dim < 0 ? dim + shape.length : dim);

// Of numbers x of one tensor and y of another, as a formula of JavaScript says. Each formula is compiled to a loop of its own: one
// that all shared would call a function for each number, which takes five times as long.
const loops = {};
const loopOf = (formula) => (loops[formula] ??= new Function("exp", "erf", `return (a, ia, sa, ra, b, ib, sb, rb, to, o, rows, n) => {
  for (let r = 0; r < rows; r++) {
    for (let i = 0, p = ia + r * ra, q = ib + r * rb; i < n; i++, p += sa, q += sb) { const x = a[p], y = b[q]; to[o++] = ${formula}; }
  }
};`)(exp, erf));

const TURNED = { "x + y": "x + y", "x * y": "x * y", "x - y": "y - x", "y - x": "x - y" };

// The engine's kernel for a formula, called as its loop is; undefined where there is none.
function kernelOf(formula, a, sa, b, sb, n) {
  const kernel = home?.kernels[sb ? "pairs" : "singles"][formula];
  if (!kernel || sa !== 1 || sb > 1 || n % 4) return undefined;
  const { addressOf } = home.memory;
  const [atA, atB] = [addressOf(a), addressOf(b)];
  return (_, ia, __, ra, ___, ib, ____, rb, to, o, rows) => {
    for (let r = 0; r < rows; r++) kernel(atA + 4 * (ia + r * ra), atB + 4 * (ib + r * rb), to.byteOffset + 4 * (o + r * n), n / 4);
  };
}

// A tensor of `shape`, the formula of a, read with strides from the place `from`, and b.
export function mapped(formula, shape, [a, strides, from = 0], [b, others] = [a, strides]) {
  const axes = []; // [side, stride of a, stride of b], with neighbours made one where both run through
  shape.forEach((side, d) => {
    const last = axes.at(-1);
    if (side === 1) return;
    if (last && last[1] === side * strides[d] && last[2] === side * others[d]) axes.splice(-1, 1, [last[0] * side, strides[d], others[d]]);
    else axes.push([side, strides[d], others[d]]);
  });
  if (formula === "x" && !from && axes.length < 2 && (axes[0]?.[1] ?? 1) === 1) return tensor(shape, a.subarray(0, sizeOf(shape))); // shared
  const [n, sa, sb] = axes.pop() ?? [1, 1, 1];
  const [rows, ra, rb] = axes.pop() ?? [1, 0, 0];
  const turned = TURNED[formula];
  if (turned && sa === 0 && sb === 1 && !from) return mapped(turned, shape, [b, others], [a, strides]);
  const [made, place] = [blank(shape), axes.map(() => 0)];
  const run = kernelOf(formula, a, sa, b, sb, n) ?? loopOf(formula);
  for (let to = 0, ia = from, ib = 0; to < made.data.length; to += rows * n) {
    run(a, ia, sa, ra, b, ib, sb, rb, made.data, to, rows, n);
    for (let d = axes.length - 1; d >= 0; d--) {
      [ia, ib] = [ia + axes[d][1], ib + axes[d][2]];
      if (++place[d] < axes[d][0]) break;
      [ia, ib] = [ia - axes[d][0] * axes[d][1], ib - axes[d][0] * axes[d][2]];
      place[d] = 0;
    }
  }
  return made;
}

export function permute(x, order) {
  const strides = stridesOf(x.shape);
  const to = order.map((d) => axis(x.shape, d));
  return mapped("x", to.map((d) => x.shape[d]), [x.data, to.map((d) => strides[d])]);
}

// Strides with which a tensor is read as one of `shape`: 0 along what is repeated.
const repeating = (x, shape) => {
  const [own, before] = [stridesOf(x.shape), shape.length - x.shape.length];
  return shape.map((_, d) => (d < before || x.shape[d - before] === 1 ? 0 : own[d - before]));
};

export function expand(x, wanted) { // −1: as it is
  const before = wanted.length - x.shape.length;
  const shape = wanted.map((side, d) => (side < 0 ? x.shape[d - before] : side));
  return mapped("x", shape, [x.data, repeating(x, shape)]);
}

export const each = (formula) => (x) => mapped(formula, [x.data.length], [x.data, [1]]);

// Of two tensors, or a tensor and a number, as far as one has to be repeated to fit the other.
export const both = (formula) => (a, b) => {
  const [one, two] = [a, b].map((value) => (typeof value === "number" ? tensor([], blank([]).data.fill(value)) : value));
  const count = Math.max(one.shape.length, two.shape.length);
  const [first, second] = [one, two].map(({ shape }) => [...Array(count - shape.length).fill(1), ...shape]);
  const shape = first.map((side, d) => (side === 1 ? second[d] : side));
  return mapped(formula, shape, [one.data, repeating(one, shape)], [two.data, repeating(two, shape)]);
};
