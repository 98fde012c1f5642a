// A film: all frames of a video in one picture, row by row; and the transport that plays films together.

import { element, icon, addressOf } from "./dom.js";

// { strip: bytes, type, columns, count, width, height } → { count, width, height, draw(context, n, x, y, w, h) }
export async function openFilm({ strip, type, columns, count, width, height }) {
  const picture = new Image();
  const address = addressOf(strip, type);
  picture.src = address;
  try { await picture.decode(); } finally { URL.revokeObjectURL(address); }
  // Cut apart, because enlarging a part of a picture mixes in what lies beside it.
  const frames = await Promise.all(Array.from({ length: count }, (_, i) => (
    createImageBitmap(picture, (i % columns) * width, Math.floor(i / columns) * height, width, height))));
  return {
    count, width, height,
    draw(context, n, x, y, w, h) {
      context.imageSmoothingQuality = "high";
      context.drawImage(frames[Math.min(Math.max(n, 0), count - 1)], x, y, w, h);
    },
  };
}

// A canvas as sharp as the screen; returns what to draw with and its size.
export function sharpCanvas(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const wide = Math.max(1, Math.round((canvas.clientWidth || width) * ratio));
  const tall = Math.max(1, Math.round((wide * height) / width));
  if (canvas.width !== wide || canvas.height !== tall) [canvas.width, canvas.height] = [wide, tall];
  return { context: canvas.getContext("2d"), wide, tall, ratio };
}

export const calm = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

// Play, pause, scrub. onframe(n, playing) is called for every frame shown, n from 0.
export function makeTransport({ frames, fps, onframe }) {
  let [n, playing, since, request] = [0, false, 0, 0];
  const toggle = element("button", { type: "button", className: "pm-play", onclick: () => self.toggle() });
  const range = element("input", { type: "range", min: 0, max: frames - 1, value: 0, "aria-label": "frame" });
  const said = element("output", { className: "pm-count" });
  const ticks = element("div", { className: "pm-ticks", "aria-hidden": "true" });
  const node = element("div", { className: "pm-transport", role: "group", "aria-label": "playback" },
    toggle, element("div", { className: "pm-scrub" }, ticks, range), said);
  const show = () => {
    range.value = n;
    range.style.setProperty("--at", `${(100 * n) / Math.max(1, frames - 1)}%`);
    range.setAttribute("aria-valuetext", `frame ${n + 1} of ${frames}`);
    said.textContent = `${n + 1} / ${frames}`;
    onframe(n, playing);
  };
  const label = () => {
    toggle.replaceChildren(icon(playing ? "pause" : "play"));
    toggle.title = playing ? "Pause" : "Play";
    toggle.setAttribute("aria-label", toggle.title);
  };
  const turn = (time) => {
    if (!playing) return;
    if (!node.isConnected) { playing = false; return; }
    const passed = Math.floor(((time - since) * fps) / 1000);
    if (passed > 0) {
      since += (passed * 1000) / fps;
      n = (n + passed) % frames;
      show();
    }
    request = requestAnimationFrame(turn);
  };
  const self = {
    node,
    get n() { return n; },
    get playing() { return playing; },
    play() {
      if (playing || frames < 2) return;
      playing = true;
      since = performance.now();
      request = requestAnimationFrame(turn);
      label();
    },
    pause() { playing = false; cancelAnimationFrame(request); label(); onframe(n, playing); },
    toggle() { playing ? self.pause() : self.play(); },
    seek(to) { n = Math.min(Math.max(0, to), frames - 1); show(); },
    adapt(next) {
      ({ frames, fps } = { frames, fps, ...next });
      range.max = frames - 1;
      ticks.replaceChildren(...Array.from({ length: frames <= 60 ? frames : 0 }, () => element("i")));
      self.seek(Math.min(n, frames - 1));
    },
  };
  range.addEventListener("input", () => { self.pause(); self.seek(Number(range.value)); });
  label();
  self.adapt({});
  return self;
}
