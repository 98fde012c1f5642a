// The drags that are drawn: one value, replaced and never changed, with a past and a future.

import { fromPoints, isPin, paceOf, positions, resamplePace } from "./path.js";

const FORMAT = "puppetmaster.drags/1";

export function makeDocument({ size, frames, most }) {
  let drags = [];
  let committed = drags;
  let selected = { drag: -1, point: -1 };
  let past = [];
  let future = [];
  const listeners = new Set();
  const tell = (what) => listeners.forEach((listener) => listener(what));

  const within = () => {
    const drag = drags[selected.drag];
    if (!drag) selected = { drag: -1, point: -1 };
    else if (selected.point >= drag.path.length) selected = { drag: selected.drag, point: -1 };
  };
  const travel = (from, to) => {
    if (!from.length) return;
    to.push(committed);
    drags = committed = from.pop();
    within();
    tell("commit");
  };

  const self = {
    size,
    get drags() { return drags; },
    get selected() { return selected; },
    get current() { return drags[selected.drag]; },
    get frames() { return frames; },
    get most() { return most; },
    get changing() { return drags !== committed; }, // a hand moves one
    get full() { return drags.length >= most; },
    get canUndo() { return past.length > 0; },
    get canRedo() { return future.length > 0; },
    listen(listener) { listeners.add(listener); },
    select(drag, point = -1) { selected = { drag, point }; within(); tell("select"); },
    // While a hand moves, `show` lets it be seen; `commit` makes it a step that can be undone.
    show(next) { drags = next; within(); tell("show"); },
    commit(next = drags) {
      drags = next;
      within();
      if (drags !== committed) { past.push(committed); future = []; committed = drags; }
      tell("commit");
    },
    revert() { drags = committed; within(); tell("show"); },
    undo() { drags === committed ? travel(past, future) : self.revert(); },
    redo() { travel(future, past); },
    beside: ([x, y]) => x < 0 || y < 0 || x > size[0] || y > size[1],
    add(drag) { selected = { drag: drags.length, point: -1 }; self.commit([...drags, drag]); },
    replaced(k, drag) { return drags.map((old, i) => (i === k ? drag : old)); },
    // The selected point, or the whole drag when it has too few left or none is selected.
    remove() {
      const { drag: k, point } = selected;
      const drag = drags[k];
      if (!drag) return;
      if (point >= 0 && drag.path.length > 2) {
        selected = { drag: k, point: -1 };
        self.commit(self.replaced(k, { ...drag, path: drag.path.filter((_, i) => i !== point) }));
      } else {
        selected = { drag: -1, point: -1 };
        self.commit(drags.filter((_, i) => i !== k));
      }
    },
    clear() { if (drags.length) { selected = { drag: -1, point: -1 }; self.commit([]); } },
    // Another model: other frames, another limit.
    adapt(next) {
      ({ frames, most } = { frames, most, ...next });
      drags = committed = drags.map((drag) => ({ ...drag, pace: resamplePace(drag.pace, frames), hand: undefined }));
      past = [];
      future = [];
      tell("commit");
    },
    load(record) { self.commit(parse(record, size, frames, most)); self.select(drags.length === 1 ? 0 : -1); },
    // What is there when the editor opens: nothing to undo.
    start(record) { drags = committed = parse(record, size, frames, most); tell("start"); },
    record: () => ({
      format: FORMAT, image_size: size,
      drags: drags.map((drag) => ({ points: positions(drag), drawn: { path: drag.path, smooth: drag.smooth, pace: drag.pace } })),
    }),
  };
  return self;
}

// A record of the format as drags on a picture of `size`; what the editor itself drew comes back with its points and pace.
export function parse(record, size, frames, most) {
  const wrong = (message) => { throw new Error(message); };
  if (record?.format !== FORMAT) wrong(`got "format": ${JSON.stringify(record?.format)}, expected "${FORMAT}"`);
  const from = record.image_size;
  if (!(Array.isArray(from) && from.length === 2 && from.every((side) => Number.isInteger(side) && side > 0))) {
    wrong('got no "image_size", expected [width, height] in pixels');
  }
  if (!Array.isArray(record.drags)) wrong('got no "drags", expected a list of {"points": [[x, y], …]}');
  if (record.drags.length > most) wrong(`got ${record.drags.length} drags, this model encodes at most ${most}`);
  const scale = [size[0] / from[0], size[1] / from[1]];
  const scaled = (points) => points.map(([x, y]) => [x * scale[0], y * scale[1]]);
  return record.drags.map(({ points, drawn }, k) => {
    if (!arePoints(points) || points.length < 2) wrong(`drag ${k + 1} has no "points", expected at least two [x, y] pairs`);
    const plain = fromPoints(scaled(points), frames);
    if (!arePoints(drawn?.path) || !drawn.path.length || !drawn.pace?.every?.(Number.isFinite) || drawn.pace.length < 2) {
      return plain;
    }
    const full = { path: scaled(drawn.path), smooth: !!drawn.smooth, pace: resamplePace(drawn.pace, frames) };
    const same = drawn.pace.length !== frames || positions(full).every((p, n) => (
      Math.hypot(p[0] - scaled(points)[n]?.[0], p[1] - scaled(points)[n]?.[1]) < 0.01));
    return same ? full : plain; // points edited by hand in the file count more than how they were once drawn
  });
}

const arePoints = (points) => Array.isArray(points) && points.every((p) => (
  Array.isArray(p) && p.length === 2 && p.every(Number.isFinite)));

// Shapes to begin with, in the middle of the picture.
export function shape(name, [width, height], frames) {
  const at = (x, y) => [x * width, y * height];
  const arc = (turn, count) => Array.from({ length: count + 1 }, (_, i) => {
    const angle = -Math.PI / 2 + (i / count) * turn;
    return at(0.5 + 0.22 * Math.cos(angle), 0.5 + 0.22 * Math.sin(angle));
  });
  const drag = {
    line: { path: [at(0.35, 0.5), at(0.65, 0.5)] },
    arc: { path: arc(Math.PI / 2, 2) },
    circle: { path: arc(2 * Math.PI, 8) },
    "there and back": { path: [at(0.35, 0.5), at(0.65, 0.5)], pace: paceOf("there and back", frames) },
    pin: { path: [at(0.5, 0.5)] },
  }[name];
  return { smooth: true, pace: paceOf("steady", frames), ...drag };
}

export function describe(drag) {
  if (isPin(drag)) return "pin";
  const [a, b] = [drag.path[0], drag.path.at(-1)];
  return `${Math.round(Math.hypot(b[0] - a[0], b[1] - a[1]))} px`;
}
