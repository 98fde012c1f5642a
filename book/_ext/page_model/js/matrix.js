// Products of matrices and convolutions, by the kernel of kernels.js.

import { blank } from "./tensors.js";

const round16 = (n) => (n + 15) & ~15;

export function makeMatrices(memory, { product }) {
  const { floats, integers, addressOf, keep } = memory;
  const table = (name, count, of) => keep("tables", name, count, (at) => { for (let k = 0; k < count; k++) integers[at + k] = 4 * of(k); });
  const zeros = (count) => keep("zeros", count, count, () => {});

  // C (M, N) of A (M, K) and B (K, N), flat and row by row from the places given. C has room for M and up to three rows more.
  function multiply(A, B, C, M, K, N, { a = 0, b = 0, c = 0 } = {}) {
    const [wide, blocks] = [round16(N), Math.ceil(M / 4)];
    const offsets = table(`${K} ${wide}`, K, (k) => k * wide);
    const run = (atB, atC) => product(addressOf(A) + 4 * a, atB, atC, offsets, K, wide / 16, blocks, 4 * wide, zeros(4 * blocks), 4 * K, 4);
    if (wide === N) { run(addressOf(B) + 4 * b, addressOf(C) + 4 * c); return; }
    const place = (at) => { for (let k = 0; k < K; k++) floats.set(B.subarray(b + k * N, b + (k + 1) * N), at + k * wide); };
    const apart = memory.allocate(4 * blocks * wide);
    if (B.buffer !== floats.buffer) run(keep(B, "columns", K * wide, place), apart.byteOffset);
    else {
      const columns = memory.allocate(K * wide);
      place(columns.byteOffset >> 2);
      run(columns.byteOffset, apart.byteOffset);
    }
    for (let m = 0; m < M; m++) C.set(apart.subarray(m * wide, m * wide + N), c + m * N);
  }

  // x (R, I, H, W) by weight (O, I, kh, kw), both constant but x: (R, O, H', W').
  function convolve(x, [R, I, H, W], weight, [O, , kh, kw], bias, [sy, sx], [py, px]) {
    const [Hp, Wp, K, blocks] = [H + 2 * py, W + 2 * px, I * kh * kw, Math.ceil(O / 4)];
    const [h, w, all] = [Math.floor((Hp - kh) / sy) + 1, Math.floor((Wp - kw) / sx) + 1, (Hp - kh + 1) * Wp];
    const columns = round16(all);
    const asItIs = w === Wp && sy === 1 && columns === all;
    const offsets = table([I, kh, kw, Hp, Wp].join(), K, (k) => {
      const rest = k % (kh * kw);
      return (Math.floor(k / (kh * kw)) * Hp + Math.floor(rest / kw)) * Wp + (rest % kw);
    });
    const made = blank([R, O, h, w], 3 * h * w);
    const padded = px || py ? memory.allocate(I * Hp * Wp + columns).fill(0) : null;
    const apart = asItIs ? null : memory.allocate(4 * blocks * columns);
    const [atX, atMade] = [addressOf(x) >> 2, made.data.byteOffset >> 2];
    const [atBias, atWeight] = [bias ? addressOf(bias) : zeros(4 * blocks), addressOf(weight)];
    for (let r = 0; r < R; r++) {
      if (padded) {
        for (let i = 0, from = atX + r * I * H * W; i < I; i++) {
          for (let y = 0, to = (padded.byteOffset >> 2) + (i * Hp + py) * Wp + px; y < H; y++, from += W, to += Wp) floats.copyWithin(to, from, from + W);
        }
      }
      const [from, to] = [padded ? padded.byteOffset : 4 * (atX + r * I * H * W), apart ? apart.byteOffset : 4 * (atMade + r * O * all)];
      product(atWeight, from, to, offsets, K, columns / 16, blocks, 4 * columns, atBias, 4 * K, 4);
      if (!apart) continue;
      for (let o = 0, into = atMade + r * O * h * w; o < O; o++) {
        for (let y = 0, row = (to >> 2) + o * columns; y < h; y++, row += sy * Wp, into += w) {
          if (sx === 1) floats.copyWithin(into, row, row + w);
          else for (let n = 0; n < w; n++) floats[into + n] = floats[row + n * sx];
        }
      }
    }
    return made;
  }
  return { multiply, convolve };
}
