// The parts of a picture that look movable, and a drag for each (the package's live.py).

import { SIDE } from "./engine.js";

const [SURE, LENGTH, MOVABLE, AXIS] = [0.5, 0.15, 0, 7]; // channels of what is told of every pixel

// [{ mask: (S, S) numbers, from: [x, y], to: [x, y] }], the surest first, in the unit square of the opened picture.
export function suggest(engine) {
  const told = engine.seen.looks.at(-1).data;
  const P = SIDE * SIDE;
  const sure = Float32Array.from({ length: P }, (_, p) => 1 / (1 + Math.exp(-told[MOVABLE * P + p])));
  const likely = new Float32Array(P);
  for (let p = 0; p < P; p++) {
    const [x, y] = [p % SIDE, Math.floor(p / SIDE)];
    for (let j = Math.max(0, y - 2); j < Math.min(SIDE, y + 3); j++) {
      for (let i = Math.max(0, x - 2); i < Math.min(SIDE, x + 3); i++) likely[p] += sure[j * SIDE + i] / 25;
    }
  }
  const found = [];
  while (found.length < engine.settings.max_drags) {
    const at = likely.indexOf(Math.max(...likely));
    if (likely[at] < SURE) break;
    const [x, y] = [at % SIDE, Math.floor(at / SIDE)];
    const from = [(x + 0.5) / SIDE, (y + 0.5) / SIDE];
    const mask = engine.partsAt([from]).masks.data.slice(0, P);
    for (let p = 0; p < P; p++) {
      if (mask[p] >= 0.3 || (Math.abs((p % SIDE) - x) < 3 && Math.abs(Math.floor(p / SIDE) - y) < 3)) likely[p] = 0;
    }
    const angle = Math.atan2(told[(AXIS + 1) * P + at], told[AXIS * P + at]) / 2; // an axis has two ways: down, or right
    const way = Math.sin(angle) < -1e-6 ? -LENGTH : LENGTH;
    found.push({ mask, from, to: [from[0] + way * Math.cos(angle), from[1] + way * Math.sin(angle)] });
  }
  return found;
}
