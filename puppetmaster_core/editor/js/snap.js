// Masks with the picture's edges: the guided filter (the package's snap.py). Letters: K masks, s and S pixels a side.

import { bicubic, enlarged, halved } from "./layers.js";
import { tensor } from "./tensors.js";

const [RADIUS, RIDGE, STEEP, PASSES, CERTAIN, COARSE] = [1 / 32, 1e-3, 2, 2, 0.97, 128]; // as in snap.py
const PAIRS = [[0, 0], [0, 1], [0, 2], [1, 1], [1, 2], [2, 2]]; // of colours

export const resized = (x, S) => (x.shape.at(-1) === S ? x : enlarged(x, [S, S], bicubic));

// Means of a plane of s × s numbers over the windows of 2·radius + 1 pixels a side, as far as they lie inside.
function windowMeans(plane, s, radius) {
  const lines = (from, step, next) => {
    const made = new Float64Array(s * s);
    for (let line = 0; line < s; line++) {
      let [sum, low, high] = [0, 0, 0]; // of numbers low to high, high excluded
      for (let i = 0; i < s; i++) {
        while (high < Math.min(s, i + radius + 1)) sum += from[line * next + step * high++];
        while (low < i - radius) sum -= from[line * next + step * low++];
        made[line * next + step * i] = sum / (high - low);
      }
    }
    return made;
  };
  return lines(lines(plane, 1, s), s, 1);
}

function planesOf({ shape, data }) {
  const P = shape.at(-1) ** 2;
  return Array.from({ length: data.length / P }, (_, c) => data.subarray(c * P, (c + 1) * P));
}

const times = (one, other) => one.map((value, p) => value * other[p]);

// Of a guide's colours: their means, and at every pixel the inverse of their ridged covariance, its six numbers as in PAIRS.
function statistics(colours, s, radius) {
  const mean = colours.map((plane) => windowMeans(plane, s, radius));
  const moments = PAIRS.map(([i, j]) => windowMeans(times(colours[i], colours[j]), s, radius));
  const inverse = PAIRS.map(() => new Float64Array(s * s));
  for (let p = 0; p < s * s; p++) {
    const [a, b, c, d, e, f] = PAIRS.map(([i, j], n) => moments[n][p] - mean[i][p] * mean[j][p] + (i === j ? RIDGE : 0));
    const own = [d * f - e * e, c * e - b * f, b * e - c * d, a * f - c * c, b * c - a * e, a * d - b * b];
    const volume = a * own[0] + b * own[1] + c * own[2];
    own.forEach((value, n) => { inverse[n][p] = value / volume; });
  }
  return { mean, inverse };
}

// One mask (S, S) as linear functions of the picture's colours, fitted in windows around each pixel of the guide.
function guided(mask, guide, colours, { mean, inverse }, s, radius) {
  const S = mask.shape.at(-1);
  const [given] = planesOf(S > s ? halved(mask, S / s) : mask);
  const level = windowMeans(given, s, radius);
  const together = guide.map((plane, c) => windowMeans(times(plane, given), s, radius).map((value, p) => value - level[p] * mean[c][p]));
  const at = (i, j) => inverse[PAIRS.findIndex(([a, b]) => a === Math.min(i, j) && b === Math.max(i, j))];
  const sum = (terms) => terms.reduce((total, [one, other]) => total.map((value, p) => value + one[p] * other[p]), new Float64Array(s * s));
  const slopes = [0, 1, 2].map((i) => sum(together.map((plane, j) => [at(i, j), plane])));
  const fitted = sum(slopes.map((plane, c) => [plane, mean[c]]));
  const offset = level.map((value, p) => value - fitted[p]);
  const [x, y, z, rest] = [...slopes, offset].map((plane) => resized(tensor([1, s, s], Float32Array.from(windowMeans(plane, s, radius))), S).data);
  return rest.map((value, p) => value + x[p] * colours[0][p] + y[p] * colours[1][p] + z[p] * colours[2][p]);
}

// masks: [K] of (1, s, s), at the size of a picture's three colours, each (S, S): Float32Arrays.
export function snap(masks, first, S) {
  const [picture, s] = [tensor([3, S, S], first), Math.min(COARSE, S)];
  const [colours, guide] = [planesOf(picture), planesOf(S > s ? halved(picture, S / s) : picture)];
  const radius = Math.round(RADIUS * s);
  const told = statistics(guide, s, radius);
  return masks.map((mask) => {
    const own = resized(mask, S);
    let made = own;
    for (let pass = 0; pass < PASSES; pass++) {
      const found = guided(made, guide, colours, told, s, radius);
      made = tensor([1, S, S], found.map((value) => Math.min(1, Math.max(0, STEEP * (value - 0.5) + 0.5))));
    }
    return made.data.map((value, p) => (own.data[p] > CERTAIN ? 1 : own.data[p] < 1 - CERTAIN ? 0 : value));
  });
}
