// From how parts move to frames before painting: the pixels of the picture, carried (the package's anchoring.py, splat.py and
// painter.py). Letters: S pixels a side of what the network sees, W of the picture, P = W² pixels.

import { enlarged, halved } from "./layers.js";
import { resized, snap } from "./snap.js";
import { tensor } from "./tensors.js";

const [FAINT, TOLERANCE, FULL, FINEST] = [0.02, 0.02, 1.2, 24]; // as in splat.py
const FIRM = 4; // as in anchoring.py
const [BASE_SIDE, AROUND, PLACES] = [64, 2, 12]; // as BASE, AROUND and PASSES in painter.py

// Of masks (K, S, S) and fields (K, N, 2, S, S), at the picture's size: who owns each pixel, how far it belongs to what moves,
// and a function of n: its offset and order in frame n. guide: of the picture (snap.js).
export function atPicture(masks, fields, W, guide) {
  const [, N, , S] = fields.shape;
  const used = [];
  for (let k = 0; k < masks.shape[0]; k++) if (masks.data.subarray(k * S * S, (k + 1) * S * S).some((value) => value > 0.1)) used.push(k);
  const P = W * W;
  const seen = used.map((k) => tensor([1, S, S], masks.data.slice(k * S * S, (k + 1) * S * S)));
  const own = seen.map((mask) => (W > S ? snap(mask, guide) : mask.data));
  const [owner, weight] = [new Uint8Array(P), new Float32Array(P)];
  for (let p = 0; p < P; p++) {
    let sum = 0;
    own.forEach((mask, k) => { sum += mask[p]; if (mask[p] > own[owner[p]][p]) owner[p] = k; });
    const loose = sum > 0.5 ? Math.min(1, sum) : own[owner[p]]?.[p];
    weight[p] = used.length ? Math.min(1, Math.max(0, FIRM * (loose - 0.5) + 0.5)) : 0;
  }
  const frame = (n) => {
    const [offset, order] = [new Float32Array(2 * P), new Float32Array(P)];
    const planes = used.map((k) => {
      const from = (k * N + n) * 2 * S * S;
      const field = tensor([2, S, S], fields.data.slice(from, from + 2 * S * S));
      return resized(field, W).data;
    });
    const far = planes.map((field, k) => {
      let [total, count] = [0, 0];
      for (let p = 0; p < P; p++) { total += Math.sqrt(field[p] ** 2 + field[P + p] ** 2) * own[k][p]; count += own[k][p]; }
      return total / count;
    });
    const rank = far.map((one, k) => far.filter((other, i) => other < one || (other === one && i < k)).length);
    if (used.length) {
      for (let p = 0; p < P; p++) {
        const k = owner[p];
        [offset[p], offset[P + p], order[p]] = [planes[k][p], planes[k][P + p], rank[k]];
      }
    }
    return { offset, order };
  };
  return { weight, frame };
}

// How the offset (2 planes, in pixels) of each pixel changes to its neighbours that move along: across and down, of x and of y.
function slopesOf(offset, weight, W) {
  const P = W * W;
  const [xx, yx, xy, yy] = Array.from({ length: 4 }, () => new Float32Array(P));
  const fill = (made, plane, step, p, before, after) => {
    const [low, high] = [before && weight[p - step] > 0.5 ? p - step : p, after && weight[p + step] > 0.5 ? p + step : p];
    if (high > low) made[p] = ((offset[plane + high] - offset[plane + low]) * step) / (high - low);
  };
  for (let y = 0, p = 0; y < W; y++) {
    for (let x = 0; x < W; x++, p++) {
      if (!(weight[p] > 0.5)) continue;
      fill(xx, 0, 1, p, x > 0, x < W - 1); fill(yx, P, 1, p, x > 0, x < W - 1);
      fill(xy, 0, W, p, y > 0, y < W - 1); fill(yy, P, W, p, y > 0, y < W - 1);
    }
  }
  return [xx, yx, xy, yy];
}

// Into how many pixels' area pixel p is spread that has gone `share` of its way; below 0 where its back is seen.
function areaAt([xx, yx, xy, yy], p, share = 1) {
  return (1 + share * xx[p]) * (1 + share * yy[p]) - share * yx[p] * (share * xy[p]);
}

// Areas from 1 on, whichever side is seen, and into how many samples across and down pixels are cut, so that these arrive less than
// a pixel apart.
function expansion(slopes, share) {
  const [xx, yx, xy, yy] = slopes;
  const area = new Float32Array(xx.length);
  let [wide, high] = [1, 1];
  for (let p = 0; p < area.length; p++) {
    const [a, b, c, d] = [1 + share * xx[p], share * yx[p], share * xy[p], 1 + share * yy[p]];
    area[p] = Math.min(FINEST, Math.max(1, Math.abs(areaAt(slopes, p, share))));
    wide = Math.max(wide, Math.abs(a), Math.abs(b));
    high = Math.max(high, Math.abs(d), Math.abs(c));
  }
  [wide, high] = [wide, high].map((one) => Math.max(1, Math.ceil(one - 0.1)));
  const cut = Math.min(1, Math.sqrt(FINEST / (wide * high)));
  return { area, fine: [wide, high].map((one) => Math.max(1, Math.floor(cut * one))) };
}

// Where along a row of W pixels, cut into `times` samples, each sample lies: the two pixels it is mixed of, and the second's part.
function between(W, times) {
  return Array.from({ length: W * times }, (_, i) => {
    const at = Math.max(0, (i + 0.5) / times - 0.5);
    const low = Math.floor(at);
    return [low, Math.min(W - 1, low + 1), at - low];
  });
}

// Calls tell(p, x, y, mix) for each sample of each pixel p that moves, at x, y in pixels; mix(plane) is a plane there, mixed of
// pixels that move.
function samples(weight, [wide, high], W, tell) {
  if (wide * high === 1) {
    let p = 0;
    const own = (plane) => plane[p];
    for (; p < W * W; p++) if (weight[p] > FAINT) tell(p, p % W, Math.floor(p / W), own);
    return;
  }
  const [across, down] = [between(W, wide), between(W, high)];
  const [at, part] = [new Int32Array(4), new Float64Array(4)];
  const mix = (plane) => {
    let sum = 0;
    for (let i = 0; i < 4; i++) sum += part[i] * plane[at[i]];
    return sum;
  };
  for (let row = 0; row < W * high; row++) {
    const [up, low, v] = down[row];
    const y = Math.floor(row / high);
    for (let column = 0; column < W * wide; column++) {
      const p = y * W + Math.floor(column / wide);
      if (!(weight[p] > FAINT)) continue;
      const [left, right, u] = across[column];
      at[0] = up * W + left; at[1] = up * W + right; at[2] = low * W + left; at[3] = low * W + right;
      part[0] = (1 - v) * (1 - u); part[1] = (1 - v) * u; part[2] = v * (1 - u); part[3] = v * u;
      let share = 0;
      for (let i = 0; i < 4; i++) share += part[i] *= +(weight[at[i]] > FAINT);
      for (let i = 0; i < 4; i++) part[i] /= Math.max(share, 1e-3);
      tell(p, (column + 0.5) / wide - 0.5, (row + 0.5) / high - 0.5, mix);
    }
  }
}

// values: planes of P numbers, carried `gone` of the way by offset (2 planes, in pixels), with its slopes. Returns their planes and
// how far each pixel is covered.
function splat(values, offset, slopes, weight, order, W, gone = 1, fine = expansion(slopes, gone).fine) {
  const P = W * W;
  const { area } = expansion(slopes, gone);
  const top = new Float32Array(P).fill(-Infinity);
  const total = new Float32Array(P);
  const sums = values.map(() => new Float32Array(P));
  const planes = [offset.subarray(0, P), offset.subarray(P)];
  const corners = (tell) => samples(weight, fine, W, (p, x0, y0, mix) => {
    const [x, y, height] = [x0 + gone * mix(planes[0]), y0 + gone * mix(planes[1]), mix(order)];
    const [left, up] = [Math.floor(x), Math.floor(y)];
    for (let cx = Math.max(0, left); cx <= Math.min(W - 1, left + 1); cx++) {
      for (let cy = Math.max(0, up); cy <= Math.min(W - 1, up + 1); cy++) {
        const share = (1 - Math.abs(x - cx)) * (1 - Math.abs(y - cy));
        if (share > 0) tell(p, cy * W + cx, share, height, mix);
      }
    }
  });
  corners((p, to, share, height) => { if (share > 0.2 && weight[p] > 0.5 && height > top[to]) top[to] = height; });
  corners((p, to, share, height, mix) => {
    if (!(height > top[to] - TOLERANCE)) return;
    const amount = share * area[p] * weight[p] / (fine[0] * fine[1]);
    total[to] += amount;
    for (let i = 0; i < values.length; i++) sums[i][to] += amount * mix(values[i]);
  });
  for (const sum of sums) for (let p = 0; p < P; p++) sum[p] /= Math.max(total[p], 1e-6);
  for (let p = 0; p < P; p++) total[p] = Math.min(1, FULL * total[p]);
  return { sums, covered: total };
}

function widest(plane, W, reach) { // the largest number within `reach` pixels, across and down
  const pass = (from, across) => {
    const made = new Float32Array(from.length);
    const step = across ? 1 : W;
    for (let y = 0, p = 0; y < W; y++) {
      for (let x = 0; x < W; x++, p++) {
        const at = across ? x : y;
        let most = from[p];
        for (let d = Math.max(-reach, -at); d <= Math.min(reach, W - 1 - at); d++) if (from[p + d * step] > most) most = from[p + d * step];
        made[p] = most;
      }
    }
    return made;
  };
  return pass(pass(plane, true), false);
}

// How far what moves by offset (2 planes, in picture widths) passed over each pixel on its way.
function sweptOver(offset, weight, W) {
  const weighed = offset.map((value, p) => value * weight[p % weight.length]);
  const own = halved(tensor([1, W, W], weight), W / BASE_SIDE).data;
  const whole = halved(tensor([2, W, W], weighed), W / BASE_SIDE).data;
  const small = whole.map((value, p) => (BASE_SIDE * value) / Math.max(own[p % own.length], 1e-3));
  const [slopes, level, swept] = [slopesOf(small, own, BASE_SIDE), new Float32Array(own.length), tensor([1, BASE_SIDE, BASE_SIDE])];
  const { fine } = expansion(slopes, PLACES / (PLACES + 1)); // the last place stretches most
  for (let place = 1; place <= PLACES; place++) {
    const passed = splat([], small, slopes, own, level, BASE_SIDE, place / (PLACES + 1), fine).covered;
    for (let p = 0; p < passed.length; p++) swept.data[p] = Math.max(swept.data[p], passed[p]);
  }
  return enlarged(swept, [W, W]).data;
}

// What the painter is given of one frame, (1, 14, W, W), where the frame may differ from the picture, and what is near to what
// moves. first: 3 planes in [−1, 1]; offset: 2 planes in picture widths.
export function moved(first, { offset, order }, weight, W) {
  const P = W * W;
  const pixels = offset.map((value) => value * W);
  const slopes = slopesOf(pixels, weight, W);
  const back = Float32Array.from({ length: P }, (_, p) => +(areaAt(slopes, p) < 0));
  const planes = [...[0, 1, 2].map((c) => first.subarray(c * P, (c + 1) * P)), offset.subarray(0, P), offset.subarray(P), back];
  const { sums, covered } = splat(planes, pixels, slopes, weight, order, W);
  const swept = sweptOver(offset, weight, W);
  const around = widest(weight, W, 1);
  const given = tensor([1, 14, W, W]);
  const some = new Float32Array(P);
  for (let p = 0; p < P; p++) {
    const [stays, rest] = [1 - around[p], 1 - covered[p]];
    const known = covered[p] + rest * stays;
    for (let c = 0; c < 3; c++) {
      given.data[c * P + p] = covered[p] * sums[c][p] + rest * stays * first[c * P + p];
      given.data[(6 + c) * P + p] = first[c * P + p];
    }
    given.data[3 * P + p] = known;
    given.data[4 * P + p] = covered[p];
    given.data[5 * P + p] = weight[p];
    given.data[9 * P + p] = weight[p] * (1 - known);
    given.data[10 * P + p] = 4 * covered[p] * sums[3][p];
    given.data[11 * P + p] = 4 * covered[p] * sums[4][p];
    given.data[12 * P + p] = swept[p];
    given.data[13 * P + p] = covered[p] * sums[5][p];
    some[p] = +(weight[p] > 0.5 || covered[p] > 0 || swept[p] > 0.5);
  }
  return { given, touched: widest(some, W, AROUND), near: widest(weight, W, AROUND) };
}

// The same at half the size. What is left bare is a product, so it is made anew.
export function coarser({ shape, data }) {
  const made = halved({ shape, data });
  const P = made.shape[2] ** 2;
  for (let p = 0; p < P; p++) made.data[9 * P + p] = made.data[5 * P + p] * (1 - made.data[3 * P + p]);
  return made;
}
