// Paths and paces: from what a hand draws to where a drag is in every frame. Coordinates are pixels of the picture.
// A drag is { path: points, smooth: whether a curve or straight lines join them, pace: for each frame the share of the way }.

export const COLOURS = ["#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00"]; // Okabe and Ito, as in overlay.py

export const INKS = ["#111", "#fff", "#111", "#111", "#111"]; // numbers that can be read on them

export const PACES = {
  steady: (t) => t,
  "ease in": (t) => t * t,
  "ease out": (t) => t * (2 - t),
  "ease in and out": (t) => t * t * (3 - 2 * t),
  "wait, then go": (t) => Math.max(0, 2 * t - 1),
  "go, then wait": (t) => Math.min(1, 2 * t),
  "there and back": (t) => 1 - Math.abs(2 * t - 1),
};

export const paceOf = (name, frames) => Array.from({ length: frames }, (_, n) => PACES[name](n / (frames - 1)));
export const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
export const mix = (a, b, t) => [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])];
export const isPin = (drag) => drag.path.length < 2;

export function fromSegment(p, a, b) {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const t = Math.min(1, Math.max(0, ((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / (dx * dx + dy * dy || 1)));
  return distance(p, mix(a, b, t));
}

// Ramer, Douglas and Peucker: the few points through which the line stays within `tolerance` of all.
function simplify(points, tolerance) {
  const kept = new Set([0, points.length - 1]);
  const spans = [[0, points.length - 1]];
  while (spans.length) {
    const [from, to] = spans.pop();
    let [far, most] = [-1, tolerance];
    for (let i = from + 1; i < to; i++) {
      const off = fromSegment(points[i], points[from], points[to]);
      if (off > most) [far, most] = [i, off];
    }
    if (far > 0) { kept.add(far); spans.push([from, far], [far, to]); }
  }
  return [...kept].sort((a, b) => a - b).map((i) => points[i]);
}

// The line a drag runs along, as short straight pieces: centripetal Catmull-Rom through its points when smooth.
export function trace(drag) {
  const { path, smooth } = drag;
  if (!smooth || path.length < 3) return path;
  const pieces = 12;
  const last = path.length - 1;
  const around = (i) => (i < 0 ? mix(path[1], path[0], 2) : i > last ? mix(path[last - 1], path[last], 2) : path[i]);
  const line = [path[0]];
  for (let i = 0; i < last; i++) {
    const p = [around(i - 1), path[i], path[i + 1], around(i + 2)];
    const t = [0];
    for (let j = 0; j < 3; j++) t.push(t[j] + Math.max(1e-6, Math.sqrt(distance(p[j], p[j + 1]))));
    const blend = (a, b, from, to, at) => mix(a, b, (at - from) / (to - from));
    for (let s = 1; s < pieces; s++) {
      const at = t[1] + (s / pieces) * (t[2] - t[1]);
      const a = [0, 1, 2].map((j) => blend(p[j], p[j + 1], t[j], t[j + 1], at));
      const b = [0, 1].map((j) => blend(a[j], a[j + 1], t[j], t[j + 2], at));
      line.push(blend(b[0], b[1], t[1], t[2], at));
    }
    line.push(path[i + 1]);
  }
  return line;
}

export function lengthsOf(line) {
  const lengths = [0];
  for (let i = 1; i < line.length; i++) lengths.push(lengths[i - 1] + distance(line[i - 1], line[i]));
  return lengths;
}

export function along(line, lengths, share) {
  const way = share * lengths.at(-1);
  let i = lengths.findIndex((length) => length >= way);
  if (i < 1) i = share > 0 ? line.length - 1 : 1;
  const piece = lengths[i] - lengths[i - 1];
  return mix(line[i - 1], line[i], piece ? Math.min(1, (way - lengths[i - 1]) / piece) : 0);
}

// Where the drag is in each frame: what `Drags.points` holds, in pixels.
export function positions(drag) {
  if (isPin(drag)) return drag.pace.map(() => drag.path[0]);
  const line = trace(drag);
  const lengths = lengthsOf(line);
  return drag.pace.map((share) => along(line, lengths, share));
}

export function resamplePace(pace, frames) {
  return Array.from({ length: frames }, (_, n) => {
    const at = (n / (frames - 1)) * (pace.length - 1);
    const before = Math.min(Math.floor(at), pace.length - 2);
    return pace[before] + (at - before) * (pace[before + 1] - pace[before]);
  });
}

// What a hand drew, samples [x, y, milliseconds], as a drag that remembers how fast the hand was.
export function fromHand(samples, tolerance, frames) {
  const points = samples.map(([x, y]) => [x, y]);
  const lengths = lengthsOf(points);
  const [start, end] = [samples[0][2], samples.at(-1)[2]];
  const hand = Array.from({ length: frames }, (_, n) => {
    const time = start + (n / (frames - 1)) * (end - start);
    let i = samples.findIndex((sample) => sample[2] >= time);
    if (i < 1) i = n ? samples.length - 1 : 1;
    const piece = samples[i][2] - samples[i - 1][2];
    const part = piece ? Math.min(1, Math.max(0, (time - samples[i - 1][2]) / piece)) : 1;
    return (lengths[i - 1] + part * (lengths[i] - lengths[i - 1])) / lengths.at(-1);
  });
  hand[0] = 0;
  hand[frames - 1] = 1;
  return { path: simplify(points, tolerance), smooth: true, pace: paceOf("steady", frames), hand };
}

// Points spaced evenly in time, as files hold them, as a drag: corners stay, points on a straight way become pace.
export function fromPoints(points, frames) {
  const lengths = lengthsOf(points);
  const total = lengths.at(-1);
  if (total < 1e-6) return { path: [points[0]], smooth: false, pace: paceOf("steady", frames) };
  const pace = resamplePace(lengths.map((length) => length / total), frames);
  const path = [points[0]];
  for (let i = 1; i < points.length - 1; i++) {
    const [a, b, c] = [path.at(-1), points[i], points[i + 1]];
    const onTheWay = distance(a, b) + distance(b, c) - distance(a, c) < 1e-4;
    if (!onTheWay || fromSegment(b, a, c) > 1e-3) path.push(b);
  }
  path.push(points.at(-1));
  return { path, smooth: false, pace };
}

export function moved(drag, [dx, dy]) {
  return { ...drag, path: drag.path.map(([x, y]) => [x + dx, y + dy]) };
}
