// Products of matrices and convolutions, in WebAssembly with SIMD: one kernel of a few hundred bytes, assembled here.
//
// The kernel multiplies four rows of A by sixteen columns of B at a time. Where row k of B begins is looked up in a table, so
// that a convolution needs no copy of its input for each place of its window: a row of B is the padded picture, shifted.

const RELAXED = [0xfd, 0x85, 0x02]; // f32x4.relaxed_madd, one instruction where the browser has it
const PLAIN = [[0xfd, 0xe6, 0x01], [0xfd, 0xe4, 0x01]]; // f32x4.mul, f32x4.add
const SCRATCH = 48 << 20; // bytes for what one operation reads and writes; what stays lies behind

function leb(value) { // a number as WebAssembly writes it
  const bytes = [];
  for (;;) {
    const low = value & 0x7f;
    value >>= 7;
    if ((value === 0 && !(low & 0x40)) || (value === -1 && low & 0x40)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

function unsigned(value) {
  const bytes = [];
  for (; value > 0x7f; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return [...bytes, value];
}

// product(a, b, c, table, K, tiles, blocks, pitch, bias): all addresses and bytes.
// a: [blocks][K][4]; b: its row k begins at b + table[k]; c: rows of `pitch` bytes; tiles: of 16 columns; bias: [4·blocks].
function kernel(fused) {
  const [A, B, C, TABLE, K, TILES, BLOCKS, PITCH, BIAS, m, a, t, k, b, c, bias] = Array(16).keys();
  const sum = (row, column) => 16 + 4 * row + column;
  const [column0, factor] = [32, 36];
  const get = (n) => [0x20, ...unsigned(n)];
  const set = (n) => [0x21, ...unsigned(n)];
  const add = (n, bytes) => [...get(n), 0x41, ...leb(bytes), 0x6a, ...set(n)];
  const addLocal = (n, by) => [...get(n), ...get(by), 0x6a, ...set(n)];
  const load = (op, at, offset) => [...get(at), 0xfd, op, 2, ...unsigned(offset)];
  const down = (n) => [...get(n), 0x41, 1, 0x6b, 0x22, ...unsigned(n), 0x0d, 0]; // one less, and again unless that is 0
  const four = [0, 1, 2, 3];
  const body = [
    0x03, 0x40, // for each tile of 16 columns
    ...get(BLOCKS), ...set(m), ...get(A), ...set(a), ...get(C), ...set(c), ...get(BIAS), ...set(bias),
    0x03, 0x40, // for each block of 4 rows
    ...four.flatMap((row) => [...load(9, bias, 4 * row), ...set(sum(row, 0)), ...[1, 2, 3].flatMap((i) => [...get(sum(row, 0)), ...set(sum(row, i))])]),
    ...get(TABLE), ...set(t), ...get(K), ...set(k),
    0x03, 0x40, // for each k
    ...get(B), ...get(t), 0x28, 2, 0, 0x6a, ...set(b),
    ...four.flatMap((i) => [...load(0, b, 16 * i), ...set(column0 + i)]),
    ...four.flatMap((row) => [...load(9, a, 4 * row), ...set(factor), ...four.flatMap((i) => (fused
      ? [...get(factor), ...get(column0 + i), ...get(sum(row, i)), ...RELAXED]
      : [...get(factor), ...get(column0 + i), ...PLAIN[0], ...get(sum(row, i)), ...PLAIN[1]]).concat(set(sum(row, i))))]),
    ...add(a, 16), ...add(t, 4), ...down(k), 0x0b,
    ...four.flatMap((row) => [...four.flatMap((i) => [...get(c), ...get(sum(row, i)), 0xfd, 11, 2, ...unsigned(16 * i)]), ...addLocal(c, PITCH)]),
    ...add(bias, 16), ...down(m), 0x0b,
    ...add(B, 64), ...add(C, 64), ...down(TILES), 0x0b,
  ];
  const section = (id, bytes) => [id, ...unsigned(bytes.length), ...bytes];
  const code = [2, 7, 0x7f, 21, 0x7b, ...body, 0x0b]; // 7 more integers and 21 vectors
  return new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...section(1, [1, 0x60, 9, ...Array(9).fill(0x7f), 0]),
    ...section(2, [1, 1, 0x6d, 1, 0x6d, 2, 0, 1]), ...section(3, [1, 0]), ...section(7, [1, 1, 0x70, 0, 0]),
    ...section(10, [1, ...unsigned(code.length), ...code])]);
}

export function makeMatrices() {
  const bytes = [true, false].map(kernel).find((one) => WebAssembly.validate(one));
  if (!bytes) throw new Error("This browser has no WebAssembly with SIMD, so nothing can be computed here: a newer one has.");
  const memory = new WebAssembly.Memory({ initial: SCRATCH >> 16 });
  const { p: product } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { m: { m: memory } }).exports;
  let [floats, integers, end] = [new Float32Array(memory.buffer), new Int32Array(memory.buffer), SCRATCH];
  let used = 0;
  const round = (n, to) => Math.ceil(n / to) * to;
  const scratch = (count) => {
    const at = used;
    used = at + round(4 * count + 64, 64);
    if (used > SCRATCH) throw new Error("This picture needs more memory than there is for one step: take a smaller one.");
    return at >> 2;
  };
  const kept = new Map(); // what stays: packed weights and tables, by what they were made from
  function keep(source, name, count, fill) {
    let own = kept.get(source);
    if (!own) kept.set(source, own = {});
    if (own[name] === undefined) {
      const at = end;
      end += round(4 * count + 64, 64);
      if (end > memory.buffer.byteLength) {
        memory.grow(Math.ceil((end - memory.buffer.byteLength) / 65536) + 64);
        [floats, integers] = [new Float32Array(memory.buffer), new Int32Array(memory.buffer)];
      }
      own[name] = at >> 2;
      fill(at >> 2);
    }
    return own[name];
  }
  // Rows of A by fours, [⌈M/4⌉][K][4].
  function pack(data, M, K, at, from = 0) {
    for (let m = 0; m < M; m++) {
      let to = at + (m >> 2) * 4 * K + (m & 3);
      for (let k = 0, f = from + m * K; k < K; k++, f++, to += 4) floats[to] = data[f];
    }
  }
  const tables = {};
  const table = (name, count, of) => keep(tables, name, count, (at) => { for (let k = 0; k < count; k++) integers[at + k] = 4 * of(k); });

  // C (M, N) of A (M, K) and B (K, N), flat and row by row from the places given; a constant B is packed once.
  function multiply(A, B, C, M, K, N, { a = 0, b = 0, c = 0, constant = false } = {}) {
    used = 0;
    const [wide, blocks] = [round(N, 16), Math.ceil(M / 4)];
    const place = (at) => { for (let k = 0; k < K; k++) floats.set(B.subarray(b + k * N, b + (k + 1) * N), at + k * wide); };
    let atB;
    if (constant) atB = keep(B, "columns", K * wide, place);
    else place(atB = scratch(K * wide));
    const offsets = table(`${K}×${wide}`, K, (k) => k * wide);
    const none = keep(tables, `zeros ${blocks}`, 4 * blocks, () => {});
    const [atA, atC] = [scratch(4 * blocks * K), scratch(4 * blocks * wide)];
    pack(A, M, K, atA, a);
    product(4 * atA, 4 * atB, 4 * atC, 4 * offsets, K, wide / 16, blocks, 4 * wide, 4 * none);
    for (let m = 0; m < M; m++) C.set(floats.subarray(atC + m * wide, atC + m * wide + N), c + m * N);
  }

  // x (R, I, H, W) by weight (O, I, kh, kw), both constant but x: (R, O, H', W').
  function convolve(x, [R, I, H, W], weight, [O, , kh, kw], bias, [sy, sx], [py, px]) {
    const [Hp, Wp, K, blocks] = [H + 2 * py, W + 2 * px, I * kh * kw, Math.ceil(O / 4)];
    const [h, w] = [Math.floor((Hp - kh) / sy) + 1, Math.floor((Wp - kw) / sx) + 1];
    const columns = round((Hp - kh + 1) * Wp, 16);
    const atA = keep(weight, "rows", 4 * blocks * K, (at) => pack(weight, O, K, at));
    const atBias = bias ? keep(bias, "bias", 4 * blocks, (at) => floats.set(bias, at)) : keep(tables, `zeros ${blocks}`, 4 * blocks, () => {});
    const offsets = table([I, kh, kw, Hp, Wp].join(), K, (k) => {
      const [i, rest] = [Math.floor(k / (kh * kw)), k % (kh * kw)];
      return (i * Hp + Math.floor(rest / kw)) * Wp + (rest % kw);
    });
    used = 0;
    const [atX, atC] = [scratch(I * Hp * Wp + columns), scratch(4 * blocks * columns)];
    const made = new Float32Array(R * O * h * w);
    floats.fill(0, atX, atX + I * Hp * Wp);
    for (let r = 0; r < R; r++) {
      for (let i = 0, from = r * I * H * W; i < I; i++) {
        for (let y = 0; y < H; y++) {
          const to = atX + (i * Hp + y + py) * Wp + px;
          for (let n = 0; n < W; n++) floats[to + n] = x[from++];
        }
      }
      product(4 * atA, 4 * atX, 4 * atC, 4 * offsets, K, columns / 16, blocks, 4 * columns, 4 * atBias);
      for (let o = 0, to = r * O * h * w; o < O; o++) {
        for (let y = 0; y < h; y++) {
          const from = atC + o * columns + y * sy * Wp;
          for (let n = 0; n < w; n++) made[to++] = floats[from + n * sx];
        }
      }
    }
    return { shape: [R, O, h, w], data: made };
  }
  return { multiply, convolve };
}
