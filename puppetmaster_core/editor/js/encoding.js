// enc(·, s) as a reader sees it: the cells of a grid in which each drag starts (u), is now (v^n) and ends (v^N), App. A.
// The package's encoding.py is what the network reads; a test holds the two together.

const CELL_OF = {
  paper: Math.floor,
  released: (p) => { // round(p − ½), half to even
    const low = Math.floor(p - 0.5);
    const rest = p - 0.5 - low;
    return rest > 0.5 || (rest === 0.5 && low % 2 !== 0) ? low + 1 : low;
  },
};

// [x, y] in the unit square: its cell on a grid [h, w], and where inside the cell it lies.
export function cell([x, y], [h, w], convention = "paper") {
  const inside = (value, count) => Math.min(count - 1, Math.max(0, CELL_OF[convention](value)));
  const [row, column] = [inside(y * h, h), inside(x * w, w)];
  return { row, column, dy: y * h - row, dx: x * w - column };
}

// The marks of frame n: one for each drag (points [N][2] in the unit square) and place.
export function encodeFrame(drags, n, size, convention = "paper") {
  return drags.flatMap((points, drag) => [points[0], points[n], points.at(-1)].map((point, place) => (
    { drag, place, ...cell(point, size, convention) })));
}

// Draw the marks of one place: the cells in their drags' colours, and a dot where inside its cell each point lies.
export function paintMap(canvas, marks, [h, w], colours, { grid, ground }) {
  const ratio = window.devicePixelRatio || 1;
  const side = Math.max(1, Math.round(canvas.clientWidth * ratio));
  const tall = Math.max(1, Math.round((side * h) / w));
  if (canvas.width !== side || canvas.height !== tall) [canvas.width, canvas.height] = [side, tall];
  const context = canvas.getContext("2d");
  const [cw, ch] = [side / w, tall / h];
  context.fillStyle = ground;
  context.fillRect(0, 0, side, tall);
  context.strokeStyle = grid;
  context.lineWidth = 1;
  context.beginPath();
  for (let i = 1; i < w; i++) { context.moveTo(Math.round(i * cw) + 0.5, 0); context.lineTo(Math.round(i * cw) + 0.5, tall); }
  for (let j = 1; j < h; j++) { context.moveTo(0, Math.round(j * ch) + 0.5); context.lineTo(side, Math.round(j * ch) + 0.5); }
  context.stroke();
  const shared = Map.groupBy(marks, ({ row, column }) => `${row},${column}`);
  for (const together of shared.values()) { // each drag has channels of its own: those that share a cell share its area here
    together.forEach(({ drag, row, column }, i) => {
      const [from, to] = [i, i + 1].map((part) => Math.round((column + part / together.length) * cw));
      context.fillStyle = colours[drag % colours.length];
      context.fillRect(from, Math.round(row * ch), to - from, Math.round((row + 1) * ch) - Math.round(row * ch));
    });
  }
  if (cw / ratio < 6) return;
  for (const { drag, row, column, dy, dx } of marks) {
    context.fillStyle = "white";
    context.strokeStyle = colours[drag % colours.length];
    context.lineWidth = ratio;
    context.beginPath();
    context.arc((column + dx) * cw, (row + dy) * ch, Math.max(1.5, cw / 9), 0, 2 * Math.PI);
    context.fill();
    context.stroke();
  }
}
