// The player: films side by side, one transport, drags and tracks drawn over them when one wants to see them.

import { element } from "./dom.js";
import { calm, makeTransport, openFilm, sharpCanvas } from "./film.js";
import { drawDrags, drawTracks } from "./overlay.js";

async function render({ model, el }) {
  const root = element("div", { className: "pm pm-player", "data-lm-suppress-shortcuts": "true" });
  el.append(root);
  root.addEventListener("keydown", (event) => event.stopPropagation());
  const stop = new AbortController();

  async function build() {
    const given = model.get("films");
    const films = await Promise.all(given.map(openFilm));
    const shown = { drags: model.get("show_drags"), tracks: model.get("show_tracks") };
    const canvases = given.map((film) => element("canvas", { role: "img", "aria-label": film.alt }));
    const paint = (n) => films.forEach((film, i) => {
      const { context, wide, tall, ratio } = sharpCanvas(canvases[i], film.width, film.height);
      film.draw(context, n, 0, 0, wide, tall);
      const { drags, tracks, visibility, track_colours, drag_colours } = given[i];
      if (shown.tracks && tracks) drawTracks(context, tracks, visibility, n, film.count, wide, tall, ratio, track_colours);
      if (shown.drags && drags) drawDrags(context, drags, n, film.count, wide, tall, ratio, drag_colours);
    });
    const transport = makeTransport({ frames: Math.max(...films.map((film) => film.count)), fps: model.get("fps"), onframe: paint });
    const toggles = ["drags", "tracks"].filter((what) => given.some((film) => film[what])).map((what) => element("label",
      { className: "pm-toggle" }, element("input", { type: "checkbox", checked: shown[what], onchange: (event) => {
        shown[what] = event.target.checked;
        paint(transport.n);
      } }), what));
    const wide = model.get("width");
    root.replaceChildren(
      element("div", { className: "pm-films" }, ...given.map((film, i) => {
        const figure = element("figure", { style: `width:${wide}px` }, canvases[i], film.label ? element("figcaption", {}, film.label) : null);
        canvases[i].style.aspectRatio = `${film.width}/${film.height}`;
        return figure;
      })),
      element("div", { className: "pm-row", style: `max-width:${Math.max(280, given.length * (wide + 12) - 12)}px` }, transport.node, ...toggles),
      ...(model.get("note") ? [element("p", { className: "pm-note" }, model.get("note"))] : []));
    paint(0);
    const sizes = new ResizeObserver(() => paint(transport.n));
    canvases.forEach((canvas) => sizes.observe(canvas));
    let byHand = false; // who pauses a film does not want to see it start again
    transport.node.addEventListener("pointerdown", () => { byHand = true; });
    transport.node.addEventListener("keydown", () => { byHand = true; });
    const seen = new IntersectionObserver(([entry]) => {
      if (byHand || calm() || !model.get("autoplay")) return;
      entry.isIntersecting ? transport.play() : transport.pause();
    });
    seen.observe(root);
    stop.signal.addEventListener("abort", () => { transport.pause(); sizes.disconnect(); seen.disconnect(); });
  }
  await build();
  return () => stop.abort();
}

export default { render };
