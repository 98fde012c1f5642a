// One film after another with its drags: did the parts go where they were sent? Three answers, by button or by key.

import { element } from "./dom.js";
import { makeTransport, openFilm, sharpCanvas } from "./film.js";
import { drawDrags } from "./overlay.js";

const ANSWERS = [["right", "r"], ["wrong", "w"], ["unclear", "u"]];

async function render({ model, el }) {
  const canvas = element("canvas", { role: "img" });
  const heading = element("p", { className: "pm-asked", role: "status" });
  const place = element("div", { className: "pm-films" });
  const row = element("div", { className: "pm-row" });
  const root = element("div", { className: "pm pm-counting", tabIndex: 0, "data-lm-suppress-shortcuts": "true" }, heading, place, row);
  el.append(root);
  let transport = null, shows = 0;

  const answered = () => model.get("answers");
  const next = () => model.get("films").findIndex((_, at) => !answered()[at]);
  let at = Math.max(0, next());

  function answer(word) {
    model.set("answers", answered().map((old, i) => i === at ? word : old));
    model.save_changes();
    if (next() >= 0) at = next();
    show();
  }

  function step(by) {
    at = (at + by + model.get("films").length) % model.get("films").length;
    show();
  }

  async function show() {
    transport?.pause();
    const given = model.get("films")[at], count = model.get("films").length;
    const mine = ++shows;
    const film = await openFilm(given);
    if (mine !== shows) return; // another answer came while this film was opened
    const done = answered().filter(Boolean).length;
    heading.textContent = `Video ${at + 1} of ${count}, ${done} answered${answered()[at] ? `; this one: ${answered()[at]}` : ""}`;
    canvas.style.aspectRatio = `${film.width}/${film.height}`;
    canvas.setAttribute("aria-label", given.alt);
    place.replaceChildren(element("figure", { style: `width:${model.get("width")}px` }, canvas));
    transport = makeTransport({ frames: film.count, fps: model.get("fps"), onframe: (n) => {
      const { context, wide, tall, ratio } = sharpCanvas(canvas, film.width, film.height);
      film.draw(context, n, 0, 0, wide, tall);
      if (given.drags) drawDrags(context, given.drags, n, film.count, wide, tall, ratio);
    } });
    row.replaceChildren(
      ...ANSWERS.map(([word, key]) => element("button", { type: "button", title: `${word} (${key})`, "aria-pressed": String(answered()[at] === word),
        onclick: () => answer(word) }, word)),
      element("button", { type: "button", onclick: () => step(-1) }, "back"),
      element("button", { type: "button", onclick: () => step(1) }, "skip"), transport.node);
    transport.play();
  }

  root.addEventListener("keydown", (event) => {
    event.stopPropagation();
    const found = ANSWERS.find(([, key]) => key === event.key);
    if (found && !event.ctrlKey && !event.metaKey && !event.altKey) answer(found[0]);
  });
  await show();
  return () => transport?.pause();
}

export default { render };
