// What takes the time, in WebAssembly with SIMD, assembled here: products of matrices, formulas of many numbers, and sums.

const unsigned = (value) => (value > 0x7f ? [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)] : [value]);
const signed = (value) => (value >= -64 && value < 64 ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(value >> 7)]);
const get = (n) => [0x20, ...unsigned(n)];
const set = (n, bytes) => [...bytes, 0x21, ...unsigned(n)];
const int = (value) => [0x41, ...signed(value)];
const step = (n, by) => set(n, [...get(n), ...by, 0x6a]); // a local grows by this
const loop = (count, ...body) => [0x03, 0x40, ...body.flat(), ...step(count, int(-1)), ...get(count), 0x0d, 0, 0x0b]; // at least once
const vector = (code, ...more) => (...given) => [...given.flat(), 0xfd, ...unsigned(code), ...more];
const load = (at, offset = 0) => [...get(at), 0xfd, 0, 2, ...unsigned(offset)];
const repeat = (at, offset = 0) => [...get(at), 0xfd, 9, 2, ...unsigned(offset)]; // one number, four times
const store = (at, bytes, offset = 0) => [...get(at), ...bytes, 0xfd, 11, 2, ...unsigned(offset)];
const number = (value) => [0x43, ...new Uint8Array(Float32Array.of(value).buffer), 0xfd, 0x13];
const whole = (value) => [...int(value), 0xfd, 0x11];
const [abs, neg, nearest, and, or] = [0xe0, 0xe1, 0x6a, 0x4e, 0x50].map((code) => vector(code));
const [add, sub, mul, div, min, max] = [0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9].map((code) => vector(code));
const [toWhole, addWhole] = [0xf8, 0xae].map((code) => vector(code));
const powerOfTwo = (n) => [...addWhole(toWhole(n), whole(127)), ...int(23), 0xfd, ...unsigned(0xab)];
const fused = (a, b, c) => [...a, ...b, ...c, 0xfd, 0x85, 0x02]; // relaxed: one instruction where the browser has it
const apart = (a, b, c) => add(mul(a, b), c);

// Locals of formulas: addresses of a, b and the result, how many times four numbers; then vectors.
const [A, B, TO, COUNT, X, Y, Z, T, N] = Array(9).keys();
const [x, y, z] = [get(X), get(Y), get(Z)];
const horner = (at, all) => all.reduceRight((sum, value) => (sum ? add(mul(sum, at), number(value)) : number(value)), null);
const power = (of) => [...set(T, max(min(of, number(88)), number(-87))), ...set(N, nearest(mul(get(T), number(Math.LOG2E)))),
  ...set(T, sub(get(T), mul(get(N), number(Math.LN2)))), ...mul(horner(get(T), [1, 1, 1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720]), powerOfTwo(get(N)))];
const logistic = (of) => div(number(1), add(number(1), power(neg(of))));
function gelu() { // with Abramowitz and Stegun's 7.1.26 for erf
  const near = div(number(1), add(number(1), mul(number(0.3275911 * Math.SQRT1_2), abs(x))));
  const all = [0, 0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429];
  const erf = sub(number(1), mul(horner(z, all), power(mul(mul(x, x), number(-0.5)))));
  return [...set(Z, near), ...mul(mul(number(0.5), x), add(number(1), or(erf, and(x, whole(-(2 ** 31))))))];
}
// Formulas as operations.js names them.
const FORMULAS = { x, "x + y": add(x, y), "x - y": sub(x, y), "y - x": sub(y, x), "x * y": mul(x, y), "x / y": div(x, y), "x > 0 ? x : 0": max(x, number(0)),
  "x / (1 + exp(-x))": mul(x, logistic(x)), "1 / (1 + exp(-x))": logistic(x), "0.5 * x * (1 + erf(x * Math.SQRT1_2))": gelu(), "x * y + z": add(mul(x, y), z) };

// One formula: of a and b, or of a and one number at b (z: the one behind it).
const formula = (bytes, single) => [...(single ? [...set(Y, repeat(B)), ...set(Z, repeat(B, 4))] : []),
  ...loop(COUNT, set(X, load(A)), single ? [] : set(Y, load(B)), store(TO, bytes), step(A, int(16)), single ? [] : step(B, int(16)), step(TO, int(16)))];
// Of the differences of a from the number at b: their sum, or that of their squares, in four parts.
const sum = (squared) => [...set(Y, repeat(B)), ...set(Z, number(0)), ...loop(COUNT, set(X, sub(load(A), y)), set(Z, add(z, squared ? mul(x, x) : x)),
  step(A, int(16))), ...store(TO, z)];

// product(a, b, c, table, K, tiles, blocks, pitch, bias, row, next): C of four rows of A by sixteen columns of B at a time. Row k of
// B begins at b + table[k], so that a convolution needs no copy of its picture for each place of its window. A's rows lie `row`
// bytes apart and its columns `next`; C's rows `pitch`. tiles: of 16 columns; blocks: of 4 rows; bias: one number a row.
function product(both) {
  const [, , C, TABLE, K, TILES, BLOCKS, PITCH, BIAS, ROW, NEXT, m, a, t, k, b, c, bias, top, first] = Array(20).keys();
  const [total, column, factor] = [(row, i) => 20 + 4 * row + i, (i) => 36 + i, 40];
  const four = [0, 1, 2, 3];
  return loop(TILES,
    set(m, get(BLOCKS)), set(top, get(A)), set(c, get(C)), set(bias, get(BIAS)),
    loop(m,
      four.flatMap((row) => four.flatMap((i) => set(total(row, i), i ? get(total(row, 0)) : repeat(bias, 4 * row)))),
      set(t, get(TABLE)), set(k, get(K)), set(first, get(top)),
      loop(k,
        set(b, [...get(B), ...get(t), 0x28, 2, 0, 0x6a]), set(a, get(first)),
        four.flatMap((i) => set(column(i), load(b, 16 * i))),
        four.flatMap((row) => [...(row ? step(a, get(ROW)) : []), ...set(factor, repeat(a)),
          ...four.flatMap((i) => set(total(row, i), both(get(factor), get(column(i)), get(total(row, i)))))]),
        step(first, get(NEXT)), step(t, int(4))),
      four.flatMap((row) => [...four.flatMap((i) => store(c, get(total(row, i)), 16 * i)), ...step(c, get(PITCH))]),
      step(top, four.flatMap((i) => [...get(ROW), ...(i ? [0x6a] : [])])), step(bias, int(16))),
    step(B, int(64)), step(C, int(64)));
}

function assemble(both) {
  const section = (id, ...bytes) => [id, ...unsigned(bytes.length), ...bytes];
  const singles = Object.entries(FORMULAS);
  const bodies = [[[[9, 0x7f], [21, 0x7b]], product(both)],
    ...[true, false].map((squared) => [[[5, 0x7b]], sum(squared)]),
    ...[true, false].flatMap((single) => singles.map(([, bytes]) => [[[5, 0x7b]], formula(bytes, single)]))];
  const code = bodies.map(([locals, body]) => [locals.length, ...locals.flat(), ...body, 0x0b]);
  const name = (text) => [text.length, ...new TextEncoder().encode(text)];
  const bytes = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, 2, 0x60, 11, ...Array(11).fill(0x7f), 0, 0x60, 4, ...Array(4).fill(0x7f), 0), ...section(2, 1, ...name("m"), ...name("m"), 2, 0, 1),
    ...section(3, bodies.length, 0, ...Array(bodies.length - 1).fill(1)),
    ...section(7, ...unsigned(bodies.length), ...bodies.flatMap((_, n) => [...name(`f${n}`), 0, ...unsigned(n)])),
    ...section(10, ...unsigned(bodies.length), ...code.flatMap((one) => [...unsigned(one.length), ...one]))];
  return { bytes: new Uint8Array(bytes), names: singles.map(([key]) => key) };
}

// { product, squares, sums, singles: { formula: f(a, b, to, count) }, pairs }, on this memory; all addresses in bytes.
export function makeKernels(memory) {
  const found = [fused, apart].map(assemble).find((one) => WebAssembly.validate(one.bytes));
  if (!found) throw new Error("This browser has no WebAssembly with SIMD, so nothing can be computed here: a newer one has.");
  const made = new WebAssembly.Instance(new WebAssembly.Module(found.bytes), { m: { m: memory } }).exports;
  const from = (first) => Object.fromEntries(found.names.map((name, n) => [name, made[`f${first + n}`]]));
  return { product: made.f0, squares: made.f1, sums: made.f2, singles: from(3), pairs: from(3 + found.names.length) };
}
