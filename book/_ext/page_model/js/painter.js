// From what the painter says of every pixel to frames (the package's painter.py). Letters: W pixels a side, P = W² pixels.

import { windowMeans } from "./snap.js";

const [BASE, MODES, TOLD, CRISP, FAINTLY, NEIGHBOURHOOD] = [64, 4, 6, 5, 0.25, 32]; // as in painter.py

// Shares that add up to 1, nearly all the likeliest's.
function likeliest(odds) {
  const most = Math.max(...odds);
  const shares = Array.from(odds, (one) => Math.exp(CRISP * (one - most)));
  const total = shares.reduce((sum, one) => sum + one);
  return shares.map((one) => one / total);
}

function summed(odds) { // log odds of any of them
  const most = Math.max(...odds);
  return most + Math.log(odds.reduce((sum, one) => sum + Math.exp(one - most), 0));
}

// Into `odds`, the log odds of all that pixel p may be; above BASE pixels neighbours tell them together.
function weigh(odds, told, p, W) {
  const [x, y, reach] = [p % W, Math.floor(p / W), +(W > BASE)];
  const [x0, x1, y0, y1] = [Math.max(0, x - reach), Math.min(W - 1, x + reach), Math.max(0, y - reach), Math.min(W - 1, y + reach)];
  for (let k = 0; k < odds.length; k++) {
    let sum = 0;
    for (let j = y0; j <= y1; j++) for (let i = x0; i <= x1; i++) sum += told(k, j * W + i);
    odds[k] = (TOLD * sum) / ((x1 - x0 + 1) * (y1 - y0 + 1));
  }
}

// A frame, RGBA bytes (W, W), of what was given and what was painted (1, 4·MODES + 6, W, W): the likeliest of what a pixel may be.
export function composed(first, { given, touched, near }, paint, W) {
  const P = W * W;
  const frame = new Uint8ClampedArray(4 * P).fill(255);
  const [known, covered, swept, turned] = [3, 4, 12, 13].map((channel) => given.data.subarray(channel * P, (channel + 1) * P));
  const told = (k, p) => { // of painted colours, what moved there, and the picture's own
    if (k < MODES) return paint.data[(3 * MODES + k) * P + p];
    if (k === MODES) return paint.data[(4 * MODES + 1) * P + p] - 4 * (1 - known[p]);
    return paint.data[(4 * MODES + 2) * P + p] - 2 * Math.max(covered[p], near[p]);
  };
  const alone = Float32Array.from({ length: P }, (_, p) => swept[p] * (1 - covered[p]) * (1 - near[p])); // only swept over
  const leads = new Float32Array(P); // how much likelier a pixel stays as it was than it is painted
  const all = new Float32Array((MODES + 2) * P);
  const oddsAt = (p) => all.subarray((MODES + 2) * p, (MODES + 2) * (p + 1));
  for (let p = 0; p < P; p++) {
    if (!touched[p] && !alone[p]) continue;
    const odds = oddsAt(p);
    weigh(odds, told, p, W);
    leads[p] = odds[MODES + 1] - summed(odds.subarray(0, MODES));
  }
  const mean = (plane) => windowMeans(plane, W, W / NEIGHBOURHOOD);
  const among = (planes, weight) => { // the means around each pixel, of pixels as they weigh
    const count = mean(weight);
    return planes.map((plane) => mean(plane.map((one, p) => one * weight[p])).map((one, p) => one / Math.max(count[p], 1e-3)));
  };
  const [lead] = among([leads], alone);
  const shade = among([3, 4, 5].map((c) => paint.data.subarray((4 * MODES + c) * P, (4 * MODES + c + 1) * P)), covered);
  for (let p = 0; p < P; p++) {
    if (!touched[p]) {
      for (let c = 0; c < 3; c++) frame[4 * p + c] = 127.5 * (first[c * P + p] + 1);
      continue;
    }
    const odds = oddsAt(p);
    odds[MODES + 1] += alone[p] * (lead[p] - leads[p]);
    const painted = odds.subarray(0, MODES);
    const kinds = likeliest([summed(painted), odds[MODES], odds[MODES + 1]]); // painted, moved there, as it was
    const shares = likeliest(painted);
    const [carried, own] = [kinds[1], kinds[2]];
    const bare = Math.max(1 - known[p], swept[p] * (1 - covered[p]), turned[p]); // elsewhere what moved stays as sharp as it is
    const much = Math.min(1, 2 * bare) / (1 + Math.exp(-(paint.data[4 * MODES * P + p] - 3 + 6 * (1 - known[p]))));
    for (let c = 0; c < 3; c++) {
      const moved = given.data[c * P + p] + covered[p] * shade[c][p];
      let chosen = (1 - carried - own) * (1 - much) * moved + (carried * moved) / Math.max(FAINTLY, known[p]) + own * first[c * P + p];
      for (let k = 0; k < MODES; k++) chosen += kinds[0] * shares[k] * much * paint.data[(3 * k + c) * P + p];
      frame[4 * p + c] = 127.5 * (chosen + 1);
    }
  }
  return frame;
}
