// The row of tools above the picture.

import { button, choice, element, icon } from "./dom.js";
import { shape } from "./document.js";
import { HELP } from "./keyboard.js";

const SHAPES = ["line", "arc", "circle", "there and back", "pin"];

export function makeToolbar(doc, editor, json, model) {
  const tools = choice("tool", [
    { value: "draw", name: "Draw", symbol: "draw", title: "Press, drag and let go to draw a path" },
    { value: "points", name: "Points", symbol: "points", title: "Click by click; Enter or a click on the last point ends the path" },
    { value: "pin", name: "Pin", symbol: "pin", title: "Hold a point where it is" },
  ], "draw", (tool) => { if (editor.chain) editor.dropChain(); editor.tool = tool; });
  const undo = button("undo", "Undo", () => doc.undo(), { keys: "Ctrl+Z" });
  const redo = button("redo", "Redo", () => doc.redo(), { keys: "Ctrl+Shift+Z" });
  const remove = button("remove", "Delete what is selected", () => doc.remove(), { keys: "Delete" });
  const clear = button("clear", "Clear all drags", () => doc.clear());
  const zoomed = button(null, "Fit the picture", () => editor.zoom(0), { keys: "0", text: "100%", className: "pm-zoom" });
  const sets = model.get("presets");
  const presets = element("select", { "aria-label": "presets", title: "Begin with a shape, or with drags that come along", onchange: () => {
    const [kind, name] = [presets.value[0], presets.value.slice(1)];
    presets.selectedIndex = 0;
    if (kind === "=") doc.load(sets[name]);
    else if (doc.full) editor.sayFull();
    else doc.add(shape(name, doc.size, doc.frames));
  } }, element("option", { value: "" }, "Presets"),
  Object.keys(sets).length ? element("optgroup", { label: "For this picture" }, ...Object.keys(sets).map((name) => element("option", { value: `=${name}` }, name))) : null,
  element("optgroup", { label: "Add a shape" }, ...SHAPES.map((name) => element("option", { value: `+${name}` }, name))));
  const jsonButton = button("json", "Drags as JSON", () => jsonButton.setAttribute("aria-expanded", json.toggle()), { "aria-expanded": "false" });
  const help = element("details", { className: "pm-help" }, element("summary", { title: "Keys and gestures", "aria-label": "Keys and gestures" }, icon("help")),
    element("dl", {}, ...HELP.flatMap(([keys, what]) => [element("dt", {}, keys), element("dd", {}, what)])));
  help.addEventListener("keydown", (event) => { if (event.key === "Escape") { help.open = false; help.firstChild.focus(); } });
  const group = (...children) => element("span", { className: "pm-group" }, ...children);
  const node = element("div", { className: "pm-toolbar", role: "toolbar", "aria-label": "drawing" }, tools, group(undo, redo), group(remove, clear),
    group(button("minus", "Zoom out", () => editor.zoom(0.8), { keys: "−" }), zoomed, button("plus", "Zoom in", () => editor.zoom(1.25), { keys: "+" })),
    element("span", { className: "pm-grow" }), presets, jsonButton, help);
  editor.onzoom = (zoom) => { zoomed.textContent = `${Math.round(zoom * 100)}%`; };
  return { node, paint() {
    const focused = node.contains(document.activeElement) ? document.activeElement : null; // before it is disabled: some browsers blur it
    undo.disabled = !doc.canUndo;
    redo.disabled = !doc.canRedo;
    remove.disabled = !doc.current;
    clear.disabled = !doc.drags.length;
    if (focused?.disabled) editor.focus(); // it would hear no more keys
  } };
}
