// Beside the picture: the list of drags, how each moves in time, and what the network is told.

import { element } from "./dom.js";
import { encodeFrame, paintMap } from "./encoding.js";
import { COLOURS, INKS, PACES, isPin, paceOf, positions } from "./path.js";
import { describe } from "./document.js";

export function makeList(doc) {
  const node = element("div", { className: "pm-list", role: "group", "aria-label": "drags" });
  let shown = "";
  const paint = () => {
    const words = doc.drags.map(describe);
    const next = JSON.stringify([words, doc.selected.drag]);
    if (next === shown) return;
    shown = next;
    const focused = [...node.children].indexOf(document.activeElement);
    node.replaceChildren(...words.map((word, k) => element("button", {
      type: "button", className: "pm-chip", "aria-pressed": String(k === doc.selected.drag),
      "aria-label": `drag ${k + 1}, ${word}`, style: `--colour:${COLOURS[k % COLOURS.length]};--ink:${INKS[k % INKS.length]}`,
      onclick: () => doc.select(k === doc.selected.drag ? -1 : k),
    }, element("b", {}, String(k + 1)), word)));
    node.children[focused]?.focus();
  };
  return { node, paint };
}

// How a drag moves along its path: with which speed, and whether on a curve.
export function makeMotion(doc) {
  const names = element("select", { "aria-label": "speed along the path", onchange: () => {
    const drag = doc.current;
    const pace = names.value === "as drawn" ? drag.hand : paceOf(names.value, doc.frames);
    doc.commit(doc.replaced(doc.selected.drag, { ...drag, pace }));
  } });
  const smooth = element("input", { type: "checkbox", onchange: () => (
    doc.commit(doc.replaced(doc.selected.drag, { ...doc.current, smooth: smooth.checked }))) });
  const hint = element("p", { className: "pm-hint" });
  const node = element("div", { className: "pm-motion" }, element("div", { className: "pm-row" },
    element("label", {}, "Speed ", names), element("label", { className: "pm-toggle" }, smooth, "smooth curve")), hint);

  function paint() {
    const drag = doc.current;
    const able = drag && !isPin(drag);
    hint.textContent = able ? "The white dots on its line are the frames." : drag
      ? "A pin stays where it is in every frame." : "Select a drag to see how it moves.";
    names.disabled = smooth.disabled = !able;
    smooth.checked = !!drag?.smooth;
    if (!able) { names.replaceChildren(); return; }
    const same = (pace) => pace && pace.every((value, n) => Math.abs(value - drag.pace[n]) < 1e-6);
    const offers = [...Object.keys(PACES), ...(drag.hand ? ["as drawn"] : [])];
    const chosen = offers.find((name) => same(name === "as drawn" ? drag.hand : paceOf(name, doc.frames))) ?? "its own";
    names.replaceChildren(...offers.concat(chosen === "its own" ? [chosen] : []).map((name) => (
      element("option", { value: name, selected: name === chosen, disabled: name === "its own" }, name))));
  }
  return { node, paint };
}

// The encoded maps at each of the network's levels, for the frame that is shown.
export function makeMaps(doc, getFrame, model) {
  const node = element("div", { className: "pm-maps" });
  let canvases = [];
  function build() {
    const heads = [["start", "u"], ["now", "vⁿ"], ["end", "vᴺ"]].map(([word, sign]) => element("span", {}, word, " ", element("i", {}, sign)));
    canvases = model.get("levels").map((size) => [0, 1, 2].map((place) => ({ size, place, canvas: element("canvas", {
      role: "img", "aria-label": `${["start", "now", "end"][place]} at ${size[0]} by ${size[1]} cells` }) })));
    node.replaceChildren(element("div", { className: "pm-map-row pm-map-head" }, element("span"), ...heads),
      ...canvases.map((row) => element("div", { className: "pm-map-row" },
        element("span", { className: "pm-size" }, `${row[0].size[0]}×${row[0].size[1]}`), ...row.map(({ canvas, size }) => {
          canvas.style.aspectRatio = `${size[1]}/${size[0]}`;
          return canvas;
        }))),
      element("p", { className: "pm-hint" }, "What the network is told: one cell for each drag, and in it where the point lies."));
  }
  function paint(drags = doc.drags) {
    if (!node.clientWidth) return; // not the tab that is open
    const style = getComputedStyle(node);
    const paints = { grid: style.getPropertyValue("--pm-line"), ground: style.getPropertyValue("--pm-sunken") };
    const { left, top, width, height } = model.get("placement"); // of the picture in the square that the network sees
    const [w, h] = doc.size;
    const points = drags.map((drag) => positions(drag).map(([x, y]) => [left + (x / w) * width, top + (y / h) * height]));
    const n = Math.min(getFrame(), doc.frames - 1);
    for (const { size, place, canvas } of canvases.flat()) {
      const marks = encodeFrame(points, n, size, model.get("convention")).filter((mark) => mark.place === place);
      paintMap(canvas, marks, size, COLOURS, paints);
    }
  }
  build();
  return { node, paint, build };
}
