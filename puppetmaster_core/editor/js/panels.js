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

// How far along its path a drag is in each frame: a graph whose dots one moves up and down.
export function makeMotion(doc, getFrame, seek) {
  const [width, height, edge] = [280, 150, 14];
  const names = element("select", { "aria-label": "speed along the path", onchange: () => {
    const drag = doc.current;
    const pace = names.value === "as drawn" ? drag.hand : paceOf(names.value, doc.frames);
    doc.commit(doc.replaced(doc.selected.drag, { ...drag, pace }));
  } });
  const smooth = element("input", { type: "checkbox", onchange: () => (
    doc.commit(doc.replaced(doc.selected.drag, { ...doc.current, smooth: smooth.checked }))) });
  const graph = element("div", { className: "pm-graph" });
  const hint = element("p", { className: "pm-hint" });
  const node = element("div", { className: "pm-motion" }, element("div", { className: "pm-row" },
    element("label", {}, "Speed ", names), element("label", { className: "pm-toggle" }, smooth, "smooth curve")), graph, hint);
  let focused = 0;

  const place = (n, share) => [edge + (n / (doc.frames - 1)) * (width - 2 * edge), height - edge - share * (height - 2 * edge)];
  const change = (n, share, commit) => {
    const pace = doc.current.pace.map((old, i) => (i === n ? Math.min(1, Math.max(0, share)) : old));
    doc[commit ? "commit" : "show"](doc.replaced(doc.selected.drag, { ...doc.current, pace }));
  };
  const share = (event) => {
    const box = graph.getBoundingClientRect();
    return (height - edge - ((event.clientY - box.top) / box.height) * height) / (height - 2 * edge);
  };
  graph.addEventListener("pointerdown", (event) => {
    if (!event.target.dataset.n) return;
    event.preventDefault();
    const n = Number(event.target.dataset.n);
    focused = n;
    graph.setPointerCapture(event.pointerId);
    seek(n);
    const move = (now) => change(n, share(now), false);
    const end = () => { graph.removeEventListener("pointermove", move); doc.commit(); graph.querySelector(`[data-n="${n}"]`)?.focus(); };
    graph.addEventListener("pointermove", move);
    graph.addEventListener("pointerup", end, { once: true });
    graph.addEventListener("pointercancel", end, { once: true });
  });
  graph.addEventListener("keydown", (event) => {
    if (!event.target.dataset.n) return;
    const n = Number(event.target.dataset.n);
    const up = { ArrowUp: 0.02, ArrowDown: -0.02, PageUp: 0.1, PageDown: -0.1 }[event.key];
    const aside = { ArrowRight: 1, ArrowLeft: -1, Home: -n, End: doc.frames - 1 - n }[event.key];
    if (up) change(n, doc.current.pace[n] + up, true);
    else if (aside) { focused = Math.min(doc.frames - 1, Math.max(0, n + aside)); seek(focused); }
    else return;
    event.preventDefault();
    paint();
    graph.querySelector(`[data-n="${focused}"]`)?.focus();
  });

  function paint() {
    const drag = doc.current;
    const able = drag && !isPin(drag);
    hint.textContent = able ? "Each dot is a frame: drag it up or down." : drag
      ? "A pin stays where it is in every frame." : "Select a drag to see how it moves.";
    names.disabled = smooth.disabled = !able;
    smooth.checked = !!drag?.smooth;
    if (!able) { graph.innerHTML = ""; names.replaceChildren(); return; }
    const same = (pace) => pace && pace.every((value, n) => Math.abs(value - drag.pace[n]) < 1e-6);
    const offers = [...Object.keys(PACES), ...(drag.hand ? ["as drawn"] : [])];
    const chosen = offers.find((name) => same(name === "as drawn" ? drag.hand : paceOf(name, doc.frames))) ?? "by hand";
    names.replaceChildren(...offers.concat(chosen === "by hand" ? ["by hand"] : []).map((name) => (
      element("option", { value: name, selected: name === chosen, disabled: name === "by hand" }, name))));
    const colour = COLOURS[doc.selected.drag % COLOURS.length];
    const dots = drag.pace.map((value, n) => place(n, value));
    const n = Math.min(getFrame(), doc.frames - 1);
    const had = graph.contains(document.activeElement);
    graph.innerHTML = `<svg viewBox="0 0 ${width} ${height}"><path class="pm-axis" d="M${edge} ${edge}V${height - edge}H${width - edge}"/>`
      + `<path class="pm-axis pm-faint" d="M${place(n, 0)}L${place(n, 1)}"/>`
      + `<text x="${edge + 4}" y="${edge - 3}">end of the path</text><text x="${width - edge}" y="${height - 2}" text-anchor="end">frames</text>`
      + `<path d="M${dots.join("L")}" stroke="${colour}" fill="none" stroke-width="2"/>${dots.map(([x, y], i) => (
        `<circle data-n="${i}" cx="${x}" cy="${y}" r="${i === n ? 6 : 4.5}" fill="${colour}" role="slider" tabindex="${i === focused ? 0 : -1}" `
        + `aria-label="frame ${i + 1}" aria-orientation="vertical" aria-valuemin="0" aria-valuemax="100" aria-valuenow="${Math.round(100 * drag.pace[i])}" `
        + `aria-valuetext="${Math.round(100 * drag.pace[i])} % of the way"/>`)).join("")}</svg>`;
    if (had) graph.querySelector(`[data-n="${focused}"]`)?.focus();
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
