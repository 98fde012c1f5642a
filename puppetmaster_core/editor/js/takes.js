// Generating, and the takes that came of it: one or two beside each other, with the drags they were asked for.

import { button, element } from "./dom.js";
import { openFilm, sharpCanvas } from "./film.js";
import { drawDrags } from "./overlay.js";

// The row that asks for a take and shows how far it is. With no kernel to ask (a page of the book) it says so.
export function makeAsk(model, doc, say) {
  const alive = typeof model.send === "function";
  const seed = element("input", { type: "number", min: 0, max: 2 ** 32 - 1, step: 1, value: model.get("seed"), "aria-label": "seed" });
  const quality = element("select", { "aria-label": "quality" }, ...model.get("qualities").map((name) => (
    element("option", { value: name, selected: name === model.get("quality") }, name))));
  const follow = element("input", { type: "checkbox", "aria-label": "follow my hand" });
  const bar = element("progress", { max: 1, value: 0, "aria-label": "progress" });
  const said = element("span", { className: "pm-said" });
  const start = button(null, "Generate a video with these drags", () => ask(), { text: "Generate", className: "pm-primary", disabled: !alive });
  const stop = button(null, "Stop generating", () => model.send({ kind: "stop" }), { text: "Stop", hidden: true });
  const dice = button(null, "Another seed", () => { seed.value = Math.floor(Math.random() * 1e6); }, { text: "⚄", className: "pm-dice", "aria-label": "another seed" });
  const node = element("div", { className: "pm-ask pm-row" }, element("label", {}, "Seed ", seed), dice, element("label", {}, "Quality ", quality),
    alive ? element("label", { className: "pm-toggle", title: "Generate each time the drags change" }, follow, "follow my hand") : null,
    element("span", { className: "pm-grow" }), bar, said, stop, start);
  let waiting = false;

  function ask() {
    if (!doc.drags.length) { say("Draw a drag first: press on the part, pull, let go.", true); return; }
    const number = Number(seed.value);
    if (seed.value === "" || !Number.isInteger(number) || number < 0 || number >= 2 ** 32) { say(`Got seed ${seed.value || "nothing"}, expected a whole number from 0.`, true); return; }
    waiting = false;
    model.send({ kind: "generate", seed: number, quality: quality.value, record: doc.record() });
  }
  const busy = () => ["loading", "drawing"].includes(model.get("progress").state);
  function paint() {
    const { state, step = 0, steps = 0, message = "" } = model.get("progress");
    bar.hidden = stop.hidden = !busy();
    start.hidden = busy();
    if (steps) [bar.max, bar.value] = [steps, step];
    else bar.removeAttribute("value");
    said.textContent = { loading: "loading the model", drawing: steps ? `step ${step} of ${steps}` : "" }[state] ?? "";
    if (state === "failed") say(message, true);
    if (!busy() && waiting) ask();
  }
  const alone = () => { if (model.get("live")?.on) follow.checked = true; }; // a hand let go is an answer asked for
  model.on("change:progress", paint);
  model.on("change:live", alone);
  paint();
  alone();
  if (!alive) said.textContent = "drawing works here; generating needs the notebook";
  return {
    node,
    changed() { if (!follow.checked || !doc.drags.length) return; if (busy()) waiting = true; else ask(); },
    destroy() { model.off("change:progress", paint); model.off("change:live", alone); },
  };
}

export function makeTakes(model, doc, transport, { onarrival, say }) {
  const films = new Map();
  let chosen = []; // ids of the takes that are shown, at most two
  let overlay = true;
  const slots = element("div", { className: "pm-slots" });
  const strip = element("div", { className: "pm-strip", role: "group", "aria-label": "takes" });
  const compare = element("input", { type: "checkbox", onchange: () => { chosen = chosen.slice(-1); build(); } });
  const over = element("input", { type: "checkbox", checked: true, onchange: () => { overlay = over.checked; paint(transport.n); } });
  const use = button(null, "Put the drags of this take on the picture", () => { doc.load(take(chosen.at(-1)).record); say("The drags of that take are on the picture again."); }, { text: "Use its drags" });
  const result = element("div", { className: "pm-result" }, slots, element("div", { className: "pm-row" },
    element("label", { className: "pm-toggle" }, over, "drags"), element("label", { className: "pm-toggle" }, compare, "compare two"),
    element("span", { className: "pm-grow" }), use));
  const empty = element("p", { className: "pm-empty" }, "Draw a drag on the picture, then press Generate.");
  const take = (id) => model.get("shown_takes").find((one) => one.id === id);
  const title = (one) => `take ${one.id}, seed ${one.seed}, ${one.quality}, ${one.seconds.toFixed(1)} s`;

  function choose(id) {
    chosen = compare.checked ? [...chosen.filter((old) => old !== id), id].slice(-2) : [id];
    build();
  }
  const canvasOf = (one, name) => {
    const canvas = element("canvas", { role: "img", "aria-label": title(one), className: name });
    canvas.style.aspectRatio = `${one.width}/${one.height}`;
    canvas.dataset.id = one.id;
    return canvas;
  };
  function build() {
    const all = model.get("shown_takes");
    result.hidden = !all.length;
    empty.hidden = all.length > 0;
    slots.replaceChildren(...chosen.map(take).filter(Boolean).map((one) => element("figure", {}, canvasOf(one, "pm-film"),
      element("figcaption", {}, element("b", {}, `Take ${one.id}`), ` seed ${one.seed} · ${one.quality} · ${one.seconds.toFixed(1)} s`))));
    strip.hidden = all.length < 2;
    strip.replaceChildren(...all.map((one) => element("button", { type: "button", className: "pm-take", title: title(one), "aria-label": title(one),
      "aria-pressed": String(chosen.includes(one.id)), onclick: () => choose(one.id) }, canvasOf(one, "pm-thumb"), String(one.id))));
    paint(transport.n);
  }
  function paint(n) {
    for (const canvas of [...slots.querySelectorAll("canvas"), ...strip.querySelectorAll("canvas")]) {
      const [film, one] = [films.get(Number(canvas.dataset.id)), take(Number(canvas.dataset.id))];
      if (!film || !one || !canvas.clientWidth) continue;
      const { context, wide, tall, ratio } = sharpCanvas(canvas, film.width, film.height);
      film.draw(context, n, 0, 0, wide, tall);
      if (overlay && canvas.className === "pm-film") drawDrags(context, one.drags, n, film.count, wide, tall, ratio);
    }
  }
  async function arrived(first = false) {
    const all = model.get("shown_takes");
    for (const one of all) if (!films.has(one.id)) films.set(one.id, await openFilm(one));
    for (const id of films.keys()) if (!all.some((one) => one.id === id)) films.delete(id);
    const last = all.at(-1)?.id;
    if (last !== undefined && last !== chosen.at(-1)) {
      chosen = compare.checked ? [...chosen, last].slice(-2) : [last];
      onarrival(first);
    }
    chosen = chosen.filter((id) => films.has(id));
    build();
  }
  function frame(n) { // of the take that is shown, as a canvas
    const film = films.get(chosen.at(-1));
    if (!film) return null;
    const canvas = element("canvas", { width: film.width, height: film.height });
    film.draw(canvas.getContext("2d"), n, 0, 0, film.width, film.height);
    return canvas;
  }
  const listener = () => arrived();
  model.on("change:shown_takes", listener);
  return { frame, result, empty, strip, paint, ready: arrived(true), destroy: () => model.off("change:shown_takes", listener) };
}
