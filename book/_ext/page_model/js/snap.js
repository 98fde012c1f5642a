// Masks with the picture's edges: the guided filter (the package's snap.py). Letters: K masks, s and S pixels a side.

import { bicubic, enlarged, halved } from "./layers.js";
import { tensor } from "./tensors.js";

const [RADIUS, RIDGE, STEEP, PASSES, CERTAIN, COARSE] = [1 / 32, 1e-3, 2, 2, 0.97, 128]; // as in snap.py
const PAIRS = [[0, 0], [0, 1], [0, 2], [1, 1], [1, 2], [2, 2]]; // of colours

export const resized = (x, S) => (x.shape.at(-1) === S ? x : enlarged(x, [S, S], bicubic));

// Means of a plane of s × s numbers over the windows of 2·radius + 1 pixels a side, as far as they lie inside.
export function windowMeans(plane, s, radius) {
  const [across, made, sums] = [new Float32Array(s * s), new Float32Array(s * s), new Float64Array(s)];
  const inside = (i) => Math.min(s - 1, i + radius) - Math.max(0, i - radius) + 1;
  for (let y = 0; y < s; y++) {
    let sum = 0;
    for (let x = -radius; x < s; x++) { // what comes into the window, and what leaves it
      if (x + radius < s) sum += plane[y * s + x + radius];
      if (x > radius) sum -= plane[y * s + x - radius - 1];
      if (x >= 0) across[y * s + x] = sum / inside(x);
    }
  }
  for (let y = -radius; y < s; y++) {
    if (y + radius < s) for (let x = 0, p = (y + radius) * s; x < s; x++, p++) sums[x] += across[p];
    if (y > radius) for (let x = 0, p = (y - radius - 1) * s; x < s; x++, p++) sums[x] -= across[p];
    if (y >= 0) for (let x = 0, p = y * s, count = inside(y); x < s; x++, p++) made[p] = sums[x] / count;
  }
  return made;
}

function planesOf({ shape, data }) {
  const P = shape.at(-1) ** 2;
  return Array.from({ length: data.length / P }, (_, c) => data.subarray(c * P, (c + 1) * P));
}

function times(one, other) {
  const made = new Float32Array(one.length);
  for (let p = 0; p < made.length; p++) made[p] = one[p] * other[p];
  return made;
}

// What of a picture (3, S, S) the regressions need, whatever the mask: at s pixels a side its colours, their means, and the six
// numbers of the inverse of their ridged covariance.
export function guideOf(first, S) {
  const [picture, s] = [tensor([3, S, S], first), Math.min(COARSE, S)];
  const [colours, small, radius] = [planesOf(picture), planesOf(S > s ? halved(picture, S / s) : picture), Math.round(RADIUS * s)];
  const mean = small.map((plane) => windowMeans(plane, s, radius));
  const inverse = PAIRS.map(([i, j]) => windowMeans(times(small[i], small[j]), s, radius));
  for (let p = 0; p < s * s; p++) {
    const [a, b, c, d, e, f] = PAIRS.map(([i, j], n) => inverse[n][p] - mean[i][p] * mean[j][p] + (i === j ? RIDGE : 0));
    const own = [d * f - e * e, c * e - b * f, b * e - c * d, a * f - c * c, b * c - a * e, a * d - b * b];
    const volume = a * own[0] + b * own[1] + c * own[2];
    own.forEach((value, n) => { inverse[n][p] = value / volume; });
  }
  return { colours, small, mean, inverse, s, S, radius };
}

// One mask (1, S, S) as linear functions of the picture's colours, fitted in windows around each pixel of the guide: (1, S, S), made
// steeper.
function fitted(mask, { colours: [red, green, blue], small, mean: [mr, mg, mb], inverse: [rr, rg, rb, gg, gb, bb], s, S, radius }) {
  const [given] = planesOf(S > s ? halved(mask, S / s) : mask);
  const level = windowMeans(given, s, radius);
  const [x, y, z] = small.map((plane) => windowMeans(times(plane, given), s, radius));
  for (let p = 0; p < s * s; p++) {
    const [r, g, b] = [x[p] - level[p] * mr[p], y[p] - level[p] * mg[p], z[p] - level[p] * mb[p]];
    x[p] = rr[p] * r + rg[p] * g + rb[p] * b;
    y[p] = rg[p] * r + gg[p] * g + gb[p] * b;
    z[p] = rb[p] * r + gb[p] * g + bb[p] * b;
    level[p] -= x[p] * mr[p] + y[p] * mg[p] + z[p] * mb[p];
  }
  const line = [x, y, z, level].map((plane) => resized(tensor([1, s, s], windowMeans(plane, s, radius)), S).data);
  const made = new Float32Array(S * S);
  for (let p = 0; p < made.length; p++) {
    const value = line[0][p] * red[p] + line[1][p] * green[p] + line[2][p] * blue[p] + line[3][p];
    made[p] = Math.min(1, Math.max(0, STEEP * (value - 0.5) + 0.5));
  }
  return tensor([1, S, S], made);
}

// A mask (1, s, s) at the size of the guide's picture and with its edges, flat.
export function snap(mask, guide) {
  const own = resized(mask, guide.S);
  let made = own;
  for (let pass = 0; pass < PASSES; pass++) made = fitted(made, guide);
  return made.data.map((value, p) => (own.data[p] > CERTAIN ? 1 : own.data[p] < 1 - CERTAIN ? 0 : value));
}
