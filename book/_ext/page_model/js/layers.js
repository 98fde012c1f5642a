// The layers of a network among PyTorch's operations: those that multiply matrices, that normalise, and that read between pixels.

import { makeMatrices } from "./matrix.js";
import { OPERATIONS, softmax } from "./operations.js";
import { blank, expand, permute, sizeOf, tensor } from "./tensors.js";

// Between the pixels of x (…, H, W) at a new size: bilinear, pixels' centres as PyTorch has them without align_corners.
export function enlarged({ shape, data }, [h, w], weigh = bilinear) {
  const [H, W] = shape.slice(-2);
  const [rows, columns] = [weigh(H, h), weigh(W, w)];
  const made = tensor([...shape.slice(0, -2), h, w]);
  const between = new Float32Array(H * w);
  for (let p = 0; p < data.length / (H * W); p++) {
    weighed(data, p * H * W, 1, W, columns, between, 0, 1, w, H);
    weighed(between, 0, w, 1, rows, made.data, p * h * w, w, 1, w);
  }
  return made;
}

// Along lines of numbers `step` apart: to[n] is the sum of the shares of some of from. There are `count` lines, `next` apart.
function weighed(from, at, step, next, { taps, places, shares }, to, o, toStep, toNext, count) {
  for (let n = 0, t = 0; n < places.length; n += taps, t += toStep) {
    for (let k = n; k < n + taps; k++) {
      const [f, share] = [at + places[k] * step, shares[k]];
      for (let l = 0; l < count; l++) to[o + t + l * toNext] = (k > n ? to[o + t + l * toNext] : 0) + share * from[f + l * next];
    }
  }
}

// Which of `from` pixels each of `to` is mixed of, and how: of(centre) gives the first one and the shares of those that follow.
const mixtures = new Map();
function mixture(name, from, to, of) {
  const key = `${name} ${from} ${to}`;
  if (!mixtures.has(key)) {
    const all = Array.from({ length: to }, (_, i) => of(((i + 0.5) * from) / to - 0.5));
    const taps = all[0][1].length;
    mixtures.set(key, { taps, shares: Float32Array.from(all.flatMap(([, shares]) => shares)),
      places: Int32Array.from(all.flatMap(([first]) => Array.from({ length: taps }, (_, k) => Math.min(from - 1, Math.max(0, first + k))))) });
  }
  return mixtures.get(key);
}
const cubic = (a, x) => (x <= 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0);
const bilinear = (from, to) => mixture("bilinear", from, to, (centre) => {
  const place = Math.max(0, centre);
  return [Math.floor(place), [1 - (place % 1), place % 1]];
});
export const bicubic = (from, to) => mixture("bicubic", from, to, (centre) => {
  const first = Math.floor(centre) - 1;
  return [first, [0, 1, 2, 3].map((k) => cubic(-0.75, Math.abs(centre - first - k)))];
});
// Smaller, each pixel a weighted mean of those it covers: PyTorch's antialiased bicubic. from is a multiple of to.
export const antialiased = (from, to) => mixture("antialiased", from, to, (centre) => {
  const scale = from / to;
  const first = Math.floor(centre + 0.5 - 2 * scale);
  const shares = Array.from({ length: Math.ceil(4 * scale) + 1 }, (_, k) => (
    first + k < 0 || first + k >= from ? 0 : cubic(-0.5, Math.abs((first + k - centre) / scale))));
  const total = shares.reduce((sum, share) => sum + share);
  return [first, shares.map((share) => share / total)];
});

export function halved(x, factor = 2) { // means of factor × factor pixels
  const [H, W] = x.shape.slice(-2);
  const [h, w, planes] = [H / factor, W / factor, x.data.length / (H * W)];
  const made = tensor([...x.shape.slice(0, -2), h, w]);
  for (let p = 0; p < planes; p++) {
    for (let Y = 0; Y < H; Y++) {
      const [from, to] = [(p * H + Y) * W, (p * h + Math.floor(Y / factor)) * w];
      for (let X = 0; X < W; X++) made.data[to + Math.floor(X / factor)] += x.data[from + X] / factor ** 2;
    }
  }
  return made;
}

function read(x, grid) { // x (B, C, H, W) at grid (B, h, w, 2) in [−1, 1]; the nearest place inside where that lies outside
  const [B, C, H, W] = x.shape;
  const [, h, w] = grid.shape;
  const made = tensor([B, C, h, w]);
  for (let b = 0; b < B; b++) {
    for (let i = 0; i < h * w; i++) {
      const g = 2 * (b * h * w + i);
      const [px, py] = [Math.min(W - 1, Math.max(0, ((grid.data[g] + 1) * W - 1) / 2)), Math.min(H - 1, Math.max(0, ((grid.data[g + 1] + 1) * H - 1) / 2))];
      const [x0, y0] = [Math.floor(px), Math.floor(py)];
      const [x1, y1, fx, fy] = [Math.min(W - 1, x0 + 1), Math.min(H - 1, y0 + 1), px - x0, py - y0];
      for (let c = 0; c < C; c++) {
        const plane = (b * C + c) * H * W;
        const across = (y) => x.data[plane + y * W + x0] * (1 - fx) + x.data[plane + y * W + x1] * fx;
        made.data[(b * C + c) * h * w + i] = across(y0) * (1 - fy) + across(y1) * fy;
      }
    }
  }
  return made;
}

function shuffled(x, r, back) { // channels into pixels, or back
  const lead = x.shape.slice(0, -3);
  const [C, H, W] = x.shape.slice(-3);
  const planes = sizeOf(lead);
  const order = back ? [0, 1, 3, 5, 2, 4] : [0, 1, 4, 2, 5, 3];
  const apart = back ? [planes, C, H / r, r, W / r, r] : [planes, C / r ** 2, r, r, H, W];
  const made = permute(tensor(apart, x.data), order);
  return tensor(back ? [...lead, C * r * r, H / r, W / r] : [...lead, C / r ** 2, H * r, W * r], made.data);
}

export function makeLayers(memory, kernels) {
  const { floats, addressOf } = memory;
  const matrices = makeMatrices(memory, kernels);
  const spot = memory.keep("spot", "", 8, () => {}); // two numbers for a kernel, and four from one
  const at = spot >> 2;

  // Mean 0 and deviation 1 of each group of `count` numbers, a multiple of 4: finish(g, from, to, scale, shift) makes them.
  function normalised(x, count, epsilon, finish) {
    if (count % 4) throw new Error(`Got groups of ${count} numbers, the kernels take multiples of 4.`);
    const made = blank(x.shape);
    const total = (kernel, from) => { kernel(from, spot, spot + 16, count / 4); return floats[at + 4] + floats[at + 5] + floats[at + 6] + floats[at + 7]; };
    for (let g = 0, from = addressOf(x.data), to = addressOf(made.data); g < x.data.length / count; g++, from += 4 * count, to += 4 * count) {
      floats[at] = 0;
      const mean = total(kernels.sums, from) / count;
      floats[at] = mean;
      const scale = 1 / Math.sqrt(total(kernels.squares, from) / count + epsilon);
      finish(g, from, to, scale, -mean * scale);
    }
    return [made];
  }
  function affine(from, to, count, scale, shift) {
    [floats[at], floats[at + 1]] = [scale, shift];
    kernels.singles["x * y + z"](from, spot, to, count / 4);
  }
  function product(a, b, bias = null) { // (M, K) (K, N), or batches of them
    const [[M, K], N] = [a.shape.slice(-2), b.shape.at(-1)];
    const made = blank([...a.shape.slice(0, -1), N], 3 * N);
    const batches = sizeOf(a.shape.slice(0, -2));
    for (let i = 0; i < batches; i++) matrices.multiply(a.data, b.data, made.data, M, K, N, { a: i * M * K, b: i * K * N, c: i * M * N });
    return bias ? OPERATIONS.add(made, bias) : made;
  }
  // As matrices.multiply, for matrices too small to be worth its preparations.
  function plainly(A, B, C, M, K, N, { a = 0, b = 0, c = 0 }) {
    for (let m = 0; m < M; m++) {
      for (let n = 0; n < N; n++) {
        let sum = 0;
        for (let k = 0; k < K; k++) sum += A[a + m * K + k] * B[b + k * N + n];
        C[c + m * N + n] = sum;
      }
    }
  }
  // softmax(q kᵀ / √D + mask) v, head by head.
  function attention(q, k, v, { attn_mask: mask = null, scale = null } = {}) {
    const [B, heads, L, D] = q.shape;
    const M = k.shape[2];
    const made = blank([B, heads, L, D], 3 * D);
    const share = scale ?? 1 / Math.sqrt(D);
    const turned = permute(k, [0, 1, 3, 2]).data;
    const scores = blank([L * M], 3 * M).data;
    const multiply = L * M > 256 ? matrices.multiply : plainly;
    for (let i = 0; i < B * heads; i++) {
      multiply(q.data, turned, scores, L, D, M, { a: i * L * D, b: i * M * D });
      for (let n = 0; n < L * M; n++) scores[n] *= share;
      if (mask) {
        const [mb, mh, ml] = mask.shape;
        const row = ((mb > 1 ? Math.floor(i / heads) : 0) * mh + (mh > 1 ? i % heads : 0)) * ml * M;
        for (let n = 0; n < L * M; n++) scores[n] += mask.data[row + (ml > 1 ? n : n % M)];
      }
      softmax(scores, scores, L, M);
      multiply(scores, v.data, made.data, L, M, D, { b: i * M * D, c: i * L * D });
    }
    return [made];
  }
  return {
    mm: product, bmm: product, addmm: (bias, a, b) => product(a, b, bias),
    convolution(x, weight, bias, stride, padding) {
      if (x.shape.length === 4) return matrices.convolve(x.data, x.shape, weight.data, weight.shape, bias?.data, stride, padding);
      const [R, I, N, h, w] = x.shape; // along frames only: a plane of frames by places
      const { shape, data } = matrices.convolve(x.data, [R, I, N, h * w], weight.data, [...weight.shape.slice(0, 3), 1], bias?.data, [1, 1], [padding[0], 0]);
      return tensor([R, shape[1], shape[2], h, w], data);
    },
    native_group_norm: (x, weight, bias, R, C, cells, groups, epsilon) => normalised(x, (C / groups) * cells, epsilon, (g, from, to, scale, shift) => {
      for (let i = 0, c = (g % groups) * (C / groups); i < C / groups; i++, c++) {
        const own = weight ? weight.data[c] : 1;
        affine(from + 4 * i * cells, to + 4 * i * cells, cells, scale * own, shift * own + (bias ? bias.data[c] : 0));
      }
    }),
    native_layer_norm: (x, shape, weight, bias, epsilon) => normalised(x, sizeOf(shape), epsilon, (g, from, to, scale, shift) => {
      affine(from, to, sizeOf(shape), scale, shift);
      if (weight) kernels.pairs["x * y"](to, addressOf(weight.data), to, sizeOf(shape) / 4);
      if (bias) kernels.pairs["x + y"](to, addressOf(bias.data), to, sizeOf(shape) / 4);
    }),
    scaled_dot_product_flash_attention_for_cpu: (q, k, v, ...rest) => attention(q, k, v, rest.find((one) => one && typeof one === "object")),
    avg_pool2d: (x, [factor]) => halved(x, factor),
    upsample_bilinear2d: (x, size) => enlarged(x, size),
    upsample_nearest2d(x, [h, w]) {
      const [H, W] = x.shape.slice(-2);
      const planes = sizeOf(x.shape.slice(0, -2));
      return tensor([...x.shape.slice(0, -2), h, w], expand(tensor([planes, H, 1, W, 1], x.data), [planes, H, h / H, W, w / W]).data);
    },
    grid_sampler_2d: (x, grid) => read(x, grid),
    pixel_shuffle: (x, r) => shuffled(x, r, false),
    pixel_unshuffle: (x, r) => shuffled(x, r, true),
  };
}
