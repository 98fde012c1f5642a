// The labeller: four moments and a player of one animation, three answers by key or button, undo, labels in and out.

import { button, element } from "./dom.js";
import { calm, makeTransport, openFilm, sharpCanvas } from "./film.js";

const ANSWERS = [["keep", "k"], ["drop", "d"], ["unsure", "u"]];

async function render({ model, el }) {
  const root = element("div", { className: "pm pm-labeller", tabIndex: 0, role: "group", "aria-label": "labelling",
    "data-lm-suppress-shortcuts": "true" });
  const title = element("h4", { className: "pm-title" });
  const strip = element("div", { className: "pm-moments", role: "img" });
  const canvas = element("canvas", { role: "img" });
  const status = element("p", { className: "pm-status", role: "status" });
  const send = (message) => {
    if (model.send) model.send(message);
    else status.textContent = "labelling needs the notebook: on a page nothing is kept";
  };
  const answers = ANSWERS.map(([answer, key]) => button("", answer, () => send({ kind: "answer", answer }),
    { text: answer, keys: key.toUpperCase(), "aria-keyshortcuts": key, "aria-pressed": "false", "data-answer": answer }));
  const undo = button("undo", "undo", () => send({ kind: "undo" }), { keys: "Z" });
  const go = (step) => send({ kind: "go", at: model.get("at") + step });
  const back = button("", "previous animation", () => go(-1), { text: "‹", keys: "←" });
  const on = button("", "next animation", () => go(1), { text: "›", keys: "→" });
  const save = button("", "save labels as CSV", () => saveText(model.get("text"), "labels.csv"), { text: "Save CSV" });
  const file = element("input", { type: "file", accept: ".csv,text/csv", hidden: true, "aria-label": "a CSV file of labels",
    onchange: async () => { if (file.files[0]) send({ kind: "csv", text: await file.files[0].text() }); file.value = ""; } });
  const load = button("", "take labels in from CSV", () => file.click(), { text: "Load CSV" });
  let film = null;
  const transport = makeTransport({ frames: 2, fps: model.get("fps"), onframe: (n) => {
    if (!film) return;
    const { context, wide, tall } = sharpCanvas(canvas, film.width, film.height);
    film.draw(context, n, 0, 0, wide, tall);
  } });
  root.append(title, element("div", { className: "pm-see" }, strip, element("div", { className: "pm-small" }, canvas, transport.node)),
    element("div", { className: "pm-row" }, back, ...answers, undo, on, element("span", { className: "pm-grow" }), save, load, file), status);
  el.append(root);

  const describe = () => {
    const [ids, at, given] = [model.get("ids"), model.get("at"), model.get("answers")];
    const name = ids[at];
    const many = ids.filter((id) => given[id]).length;
    title.textContent = `${at + 1} / ${ids.length}  ${name}`;
    status.textContent = model.get("said") || (many === ids.length ? `all ${many} are labelled` : `${many} of ${ids.length} labelled by ${model.get("rater")}`);
    for (const one of answers) one.setAttribute("aria-pressed", given[name] === one.dataset.answer);
    [back.disabled, on.disabled, undo.disabled] = [at === 0, at === ids.length - 1, !Object.keys(given).length];
  };
  const show = async () => {
    const shown = model.get("shown");
    const next = await openFilm(shown);
    if (shown !== model.get("shown")) return; // another came meanwhile
    film = next;
    const quarters = [1, 2, 3, 4].map((quarter) => Math.round((quarter / 4) * (film.count - 1)));
    strip.setAttribute("aria-label", `four moments of ${shown.id}`);
    canvas.setAttribute("aria-label", `${shown.id}, playing`);
    strip.replaceChildren(...quarters.map((n) => {
      const still = element("canvas", { width: film.width, height: film.height });
      film.draw(still.getContext("2d"), n, 0, 0, film.width, film.height);
      return still;
    }));
    root.dataset.shown = shown.id;
    transport.adapt({ frames: film.count });
    transport.seek(0);
    if (!calm()) transport.play();
  };
  root.addEventListener("keydown", (event) => {
    event.stopPropagation(); // the notebook has keys of its own
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input")) return;
    const answer = ANSWERS.find(([, key]) => key === event.key.toLowerCase());
    if (answer && !event.repeat) send({ kind: "answer", answer: answer[0] });
    else if (event.key.toLowerCase() === "z" && !event.repeat) send({ kind: "undo" });
    else if (event.key === "ArrowLeft" && model.get("at") > 0) go(-1);
    else if (event.key === "ArrowRight" && model.get("at") < model.get("ids").length - 1) go(1);
    else return;
    event.preventDefault();
  });
  const told = ["change:at", "change:answers", "change:said"];
  for (const name of told) model.on(name, describe);
  model.on("change:shown", show);
  describe();
  await show();
  return () => {
    transport.pause();
    for (const name of told) model.off(name, describe);
    model.off("change:shown", show);
  };
}

function saveText(text, name) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

export default { render };
