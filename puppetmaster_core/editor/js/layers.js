// The layers of a network among PyTorch's operations: those that multiply matrices, that normalise, and that read between pixels.

import { permute, sizeOf, softmax, tensor } from "./operations.js";

// Mean 0 and deviation 1 of each group of `count` numbers, then a weight and a bias a channel.
function normalised(x, groups, count, epsilon, channelOf, weight, bias) {
  const made = tensor(x.shape);
  for (let g = 0, at = 0; g < groups; g++, at += count) {
    let [mean, square] = [0, 0];
    for (let i = at; i < at + count; i++) mean += x.data[i];
    mean /= count;
    for (let i = at; i < at + count; i++) square += (x.data[i] - mean) ** 2;
    const scale = 1 / Math.sqrt(square / count + epsilon);
    channelOf(g, at, (channel, from, to) => {
      const [a, b] = [scale * (weight ? weight.data[channel] : 1), bias ? bias.data[channel] : 0];
      for (let i = from; i < to; i++) made.data[i] = (x.data[i] - mean) * a + b;
    });
  }
  return made;
}

// Between the pixels of x (…, H, W) at a new size: bilinear, pixels' centres as PyTorch has them without align_corners.
export function enlarged({ shape, data }, [h, w], weigh = bilinear) {
  const [H, W] = shape.slice(-2);
  const [rows, columns] = [weigh(H, h), weigh(W, w)];
  const made = tensor([...shape.slice(0, -2), h, w]);
  const planes = data.length / (H * W);
  const taps = rows[0].length;
  const between = new Float32Array(H * w);
  for (let p = 0; p < planes; p++) {
    for (let y = 0; y < H; y++) {
      for (let x = 0; x < w; x++) {
        let sum = 0;
        for (const [at, share] of columns[x]) sum += share * data[(p * H + y) * W + at];
        between[y * w + x] = sum;
      }
    }
    for (let y = 0; y < h; y++) {
      const to = (p * h + y) * w;
      for (let n = 0; n < taps; n++) {
        const [at, share] = rows[y][n];
        for (let x = 0; x < w; x++) made.data[to + x] += share * between[at * w + x];
      }
    }
  }
  return made;
}

const inside = (at, size) => Math.min(size - 1, Math.max(0, at));
function bilinear(from, to) {
  return Array.from({ length: to }, (_, i) => {
    const place = Math.max(0, ((i + 0.5) * from) / to - 0.5);
    const low = Math.floor(place);
    return [[inside(low, from), 1 - (place - low)], [inside(low + 1, from), place - low]];
  });
}

const cubic = (a) => (x) => (x <= 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0);
export function bicubic(from, to) {
  return Array.from({ length: to }, (_, i) => {
    const place = ((i + 0.5) * from) / to - 0.5;
    return [-1, 0, 1, 2].map((n) => Math.floor(place) + n).map((at) => [inside(at, from), cubic(-0.75)(Math.abs(place - at))]);
  });
}

// Smaller, each pixel a weighted mean of those it covers: PyTorch's antialiased bicubic. from is a multiple of to.
export function antialiased(from, to) {
  const scale = from / to;
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const taps = Array.from({ length: Math.ceil(4 * scale) + 1 }, (_, n) => Math.floor(centre - 2 * scale) + n)
      .map((at) => [at, at < 0 || at >= from ? 0 : cubic(-0.5)(Math.abs((at + 0.5 - centre) / scale))]);
    const total = taps.reduce((sum, [, share]) => sum + share, 0);
    return taps.map(([at, share]) => [inside(at, from), share / total]);
  });
}

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

export function makeLayers(matrices, isConstant) {
  function product(a, b) { // (M, K) (K, N), or batches of them
    const [[M, K], N] = [a.shape.slice(-2), b.shape.at(-1)];
    const made = tensor([...a.shape.slice(0, -1), N]);
    const batches = sizeOf(a.shape.slice(0, -2));
    const constant = batches === 1 && isConstant(b);
    for (let i = 0; i < batches; i++) matrices.multiply(a.data, b.data, made.data, M, K, N, { a: i * M * K, b: i * K * N, c: i * M * N, constant });
    return made;
  }
  // softmax(q kᵀ / √D + mask) v, head by head.
  function attention(q, k, v, { attn_mask: mask = null, scale = null } = {}) {
    const [B, heads, L, D] = q.shape;
    const M = k.shape[2];
    const made = tensor([B, heads, L, D]);
    const share = scale ?? 1 / Math.sqrt(D);
    const turned = permute(k, [0, 1, 3, 2]).data;
    const scores = new Float32Array(L * M);
    for (let i = 0; i < B * heads; i++) {
      matrices.multiply(q.data, turned, scores, L, D, M, { a: i * L * D, b: i * M * D });
      for (let n = 0; n < L * M; n++) scores[n] *= share;
      if (mask) {
        const [mb, mh, ml] = mask.shape;
        const row = ((mb > 1 ? Math.floor(i / heads) : 0) * mh + (mh > 1 ? i % heads : 0)) * ml * M;
        for (let n = 0; n < L * M; n++) scores[n] += mask.data[row + (ml > 1 ? n : n % M)];
      }
      softmax(scores, L, M);
      matrices.multiply(scores, v.data, made.data, L, M, D, { b: i * M * D, c: i * L * D });
    }
    return [made];
  }
  return {
    mm: product, bmm: product,
    addmm(bias, a, b) {
      const made = product(a, b);
      const N = made.shape[1];
      for (let i = 0; i < made.data.length; i += N) for (let n = 0; n < N; n++) made.data[i + n] += bias.data[n];
      return made;
    },
    convolution(x, weight, bias, stride, padding) {
      if (x.shape.length === 4) return matrices.convolve(x.data, x.shape, weight.data, weight.shape, bias?.data, stride, padding);
      const [R, I, N, h, w] = x.shape; // along frames only: a plane of frames by places
      const { shape, data } = matrices.convolve(x.data, [R, I, N, h * w], weight.data, [...weight.shape.slice(0, 3), 1], bias?.data, [1, 1], [padding[0], 0]);
      return tensor([R, shape[1], shape[2], h, w], data);
    },
    native_group_norm(x, weight, bias, R, C, cells, groups, epsilon) {
      const each = C / groups;
      return [normalised(x, R * groups, each * cells, epsilon, (g, at, tell) => {
        for (let c = 0; c < each; c++) tell((g % groups) * each + c, at + c * cells, at + (c + 1) * cells);
      }, weight, bias)];
    },
    native_layer_norm(x, shape, weight, bias, epsilon) {
      const count = sizeOf(shape);
      return [normalised(x, x.data.length / count, count, epsilon, (g, at, tell) => {
        for (let c = 0; c < count; c++) tell(c, at + c, at + c + 1);
      }, weight, bias)];
    },
    scaled_dot_product_flash_attention_for_cpu: (q, k, v, ...rest) => attention(q, k, v, rest.find((one) => one && typeof one === "object")),
    avg_pool2d: (x, [factor]) => halved(x, factor),
    adaptive_avg_pool2d: (x, [side]) => halved(x, x.shape.at(-1) / side),
    upsample_bilinear2d: (x, size) => enlarged(x, size),
    upsample_bicubic2d: (x, size) => enlarged(x, size, bicubic),
    upsample_nearest2d(x, [h, w]) {
      const [H, W] = x.shape.slice(-2);
      const made = tensor([...x.shape.slice(0, -2), h, w]);
      for (let i = 0, to = 0; i < x.data.length / (H * W); i++) {
        for (let Y = 0; Y < h; Y++) {
          const from = (i * H + Math.floor((Y * H) / h)) * W;
          for (let X = 0; X < w; X++) made.data[to++] = x.data[from + Math.floor((X * W) / w)];
        }
      }
      return made;
    },
    grid_sampler_2d: (x, grid) => read(x, grid),
    pixel_shuffle: (x, r) => shuffled(x, r, false),
    pixel_unshuffle: (x, r) => shuffled(x, r, true),
  };
}
