// Drags and tracks over a frame, as overlay.py draws them: an arrow along each path, a dot where the point is now.

import { COLOURS, along, lengthsOf } from "./path.js";

// drags: [K][N][2] in the unit square; n counts the film's frames, of which there are `count`. colours: they begin again.
export function drawDrags(context, drags, n, count, width, height, ratio = 1, colours = COLOURS) {
  drags.forEach((points, k) => {
    const line = points.map(([x, y]) => [x * width, y * height]);
    const now = line[Math.round((n / Math.max(1, count - 1)) * (line.length - 1))];
    const colour = colours[k % colours.length];
    const lengths = lengthsOf(line);
    const total = lengths.at(-1);
    if (total > 2 * ratio) {
      const head = Math.min(11 * ratio, total);
      const base = along(line, lengths, 1 - head / total);
      const tip = line.at(-1);
      const turn = Math.atan2(tip[1] - base[1], tip[0] - base[0]);
      for (const [style, shaft, edge] of [["white", 5, 3], [colour, 2.5, 0]]) {
        context.strokeStyle = context.fillStyle = style;
        context.lineWidth = shaft * ratio;
        context.lineCap = context.lineJoin = "round";
        context.beginPath();
        line.filter((_, i) => lengths[i] < total - head).concat([base]).forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
        context.stroke();
        context.beginPath();
        context.moveTo(...tip);
        for (const side of [1, -1]) context.lineTo(base[0] - side * 0.5 * head * Math.sin(turn), base[1] + side * 0.5 * head * Math.cos(turn));
        context.closePath();
        if (edge) { context.lineWidth = edge * ratio; context.stroke(); }
        context.fill();
      }
    }
    dot(context, now, 5.5 * ratio, colour, 1.75 * ratio);
  });
}

// tracks: [P][N][2] in the unit square; seen: [P][N], whether the point is visible then: a full dot, else a ring. A short tail
// shows the way it came. colours: one a track, they begin again.
export function drawTracks(context, tracks, seen, n, count, width, height, ratio = 1, colours = null) {
  context.lineWidth = 1.25 * ratio;
  context.lineCap = "round";
  tracks.forEach((points, p) => {
    const i = Math.round((n / Math.max(1, count - 1)) * (points.length - 1));
    const shown = !seen || seen[p][i];
    const colour = colours ? colours[p % colours.length] : `hsl(${(p * 137.5) % 360} 75% 50%)`;
    context.globalAlpha = shown ? 0.95 : 0.7;
    context.strokeStyle = colour;
    const tail = points.slice(Math.max(0, i - 5), i + 1);
    if (tail.some(([x, y]) => x !== tail[0][0] || y !== tail[0][1])) { // a line of no length is a dot in some browsers
      context.beginPath();
      tail.forEach(([x, y], j) => (j ? context.lineTo(x * width, y * height) : context.moveTo(x * width, y * height)));
      context.stroke();
    }
    const [x, y] = [points[i][0] * width, points[i][1] * height];
    if (shown) dot(context, [x, y], 2.2 * ratio, colour, 0.75 * ratio);
    else {
      context.beginPath();
      context.arc(x, y, 2.6 * ratio, 0, 2 * Math.PI);
      context.stroke();
    }
  });
  context.globalAlpha = 1;
}

function dot(context, [x, y], radius, colour, edge) {
  for (const [style, r] of [["white", radius + edge], [colour, radius]]) {
    context.fillStyle = style;
    context.beginPath();
    context.arc(x, y, r, 0, 2 * Math.PI);
    context.fill();
  }
}
