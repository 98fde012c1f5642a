// The picture with the drags drawn over it. Lines lie under points, and both keep their size on the screen at any zoom.

import { COLOURS, INKS, distance, fromSegment, isPin, lengthsOf, along, positions, trace } from "./path.js";

export function paintStage(svg, view, doc, { n, cursor, rubber, moving }) {
  for (const image of [svg.picture, svg.shade]) image.setAttribute("transform", view.transform);
  svg.picture.classList.toggle("pm-pixels", view.scale * (window.devicePixelRatio || 1) > 10);
  const [width, height] = doc.size;
  svg.frame.setAttribute("transform", view.transform);
  svg.frame.firstChild.setAttribute("d", `M0 0H${width}V${height}H0Z`);
  const lines = [];
  const points = [];
  doc.drags.forEach((drag, k) => {
    const on = doc.selected.drag === k;
    const colour = COLOURS[k % COLOURS.length];
    if (isPin(drag)) points.push(pin(view.toScreen(drag.path[0]), colour, k, on));
    else {
      const places = positions(drag).map(view.toScreen);
      const now = places[Math.min(n, places.length - 1)];
      lines.push(arrow(trace(drag).map(view.toScreen), colour, on, ticks(places)));
      points.push(circle(now, moving ? 7 : 6, `fill="${colour}" stroke="#fff" stroke-width="2"`, "pm-now"));
      points.push(...handles(drag, view, colour, k, on, doc.selected.point));
    }
  });
  if (rubber) lines.push(path(rubber.map(view.toScreen), "pm-rubber", COLOURS[doc.drags.length % COLOURS.length]));
  if (cursor) points.push(crosshair(view.toScreen(cursor)));
  svg.overlay.innerHTML = lines.join("") + points.join("");
}

const fixed = (p) => `${p[0].toFixed(2)} ${p[1].toFixed(2)}`;
const along2 = (line) => `M${line.map(fixed).join("L")}`;
const path = (line, name, colour) => `<path class="${name}" d="${along2(line)}" stroke="${colour}"/>`;
const circle = (at, r, paint, name = "") => `<circle class="${name}" cx="${at[0].toFixed(2)}" cy="${at[1].toFixed(2)}" r="${r}" ${paint}/>`;

function arrow(line, colour, on, marks) {
  const lengths = lengthsOf(line);
  const total = lengths.at(-1);
  const tip = line.at(-1);
  const head = Math.min(13, total);
  const base = total ? along(line, lengths, 1 - head / total) : tip;
  const turn = Math.atan2(tip[1] - base[1], tip[0] - base[0]);
  const corner = (side) => [base[0] - side * 0.5 * head * Math.sin(turn), base[1] + side * 0.5 * head * Math.cos(turn)];
  const shaft = along2([...line.filter((_, i) => lengths[i] < total - head), base]);
  const triangle = `M${[tip, corner(1), corner(-1)].map(fixed).join("L")}Z`;
  return `<path class="pm-halo" d="${shaft}"/><path class="pm-halo" d="${triangle}"/>`
    + `<path class="pm-line${on ? " pm-on" : ""}" d="${shaft}" stroke="${colour}"/>${marks}<path class="pm-head" d="${triangle}" fill="${colour}" stroke="${colour}"/>`;
}

// A dot for each frame: close together where the drag is slow.
const ticks = (places) => `<path class="pm-tick" d="${places.map((at) => `M${fixed(at)}h.01`).join("")}"/>`;

function handles(drag, view, colour, k, on, point) {
  const shown = [];
  if (on) {
    drag.path.forEach((p, i) => {
      const chosen = i === point;
      if (i) shown.push(circle(view.toScreen(p), chosen ? 7 : 5.5, `fill="${chosen ? colour : "#fff"}" stroke="${chosen ? "#fff" : colour}" stroke-width="2"`, "pm-handle"));
    });
  }
  shown.push(badge(view.toScreen(drag.path[0]), colour, k, on));
  return shown;
}

function badge(at, colour, k, on) {
  return `<g class="pm-badge">${on ? circle(at, 12, `fill="none" stroke="${colour}" stroke-opacity=".45" stroke-width="3"`) : ""}`
    + `${circle(at, 8.5, `fill="${colour}" stroke="#fff" stroke-width="1.5"`)}`
    + `<text x="${at[0].toFixed(2)}" y="${at[1].toFixed(2)}" dy=".36em" fill="${INKS[k % INKS.length]}">${k + 1}</text></g>`;
}

function pin(at, colour, k, on) {
  const ring = `<rect x="${(at[0] - 12).toFixed(2)}" y="${(at[1] - 12).toFixed(2)}" width="24" height="24" rx="5" fill="${colour}" `
    + `fill-opacity="${on ? 0.35 : 0.12}" stroke="${colour}" stroke-width="${on ? 2.5 : 1.5}"/>`;
  return `<g class="pm-pin">${ring}${badge(at, colour, k, false)}</g>`;
}

function crosshair([x, y]) {
  return `<path class="pm-cross-halo" d="M${x - 11} ${y}h22M${x} ${y - 11}v22"/><path class="pm-cross" d="M${x - 11} ${y}h22M${x} ${y - 11}v22"/>`;
}

// What lies under a place on the screen: points first, those of the selected drag before others; then lines.
export function pick(doc, view, at, reach) {
  let best = { drag: -1, point: -1, off: reach };
  const order = doc.drags.map((_, k) => k).sort((a, b) => (b === doc.selected.drag) - (a === doc.selected.drag));
  for (const k of order) {
    const { path: points } = doc.drags[k];
    const all = k === doc.selected.drag ? points.keys() : new Set([0, points.length - 1]);
    for (const i of all) {
      const off = distance(view.toScreen(points[i]), at);
      if (off < best.off - (k === doc.selected.drag ? 0 : 2)) best = { drag: k, point: i, off };
    }
  }
  if (best.drag >= 0) return best;
  best.off = Math.min(reach, 9);
  for (const k of order) {
    const line = trace(doc.drags[k]).map(view.toScreen);
    for (let i = 1; i < line.length; i++) {
      const off = fromSegment(at, line[i - 1], line[i]);
      if (off < best.off) best = { drag: k, point: -1, off };
    }
  }
  return best;
}

// Between which of its points a place on a drag's line lies: where a new point goes.
export function segmentAt(drag, at) {
  const line = trace(drag);
  const per = (line.length - 1) / (drag.path.length - 1);
  let best = { off: Infinity, index: 1 };
  for (let i = 1; i < line.length; i++) {
    const off = fromSegment(at, line[i - 1], line[i]);
    if (off < best.off) best = { off, index: Math.ceil(i / per) };
  }
  return best.index;
}
