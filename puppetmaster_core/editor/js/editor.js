// The drag editor: puts the parts together and keeps them in step with the model (anywidget's, or any with its methods).

import { addressOf, choice, element } from "./dom.js";
import { makeDocument } from "./document.js";
import { makeJson } from "./files.js";
import { calm, makeTransport } from "./film.js";
import { watchHand } from "./hand.js";
import { watchKeys, watchUndo } from "./keyboard.js";
import { makeLive } from "./live.js";
import { makeList, makeMaps, makeMotion } from "./panels.js";
import { paceOf } from "./path.js";
import { paintStage } from "./stage.js";
import { makeSuggestions } from "./suggestions.js";
import { makeAsk, makeTakes } from "./takes.js";
import { makeToolbar } from "./toolbar.js";
import { makeView } from "./view.js";

async function render({ model, el }) {
  const size = model.get("image_size");
  const doc = makeDocument({ size, frames: model.get("frames"), most: model.get("max_drags") });
  const plain = model.get("plain"); // a figure of a page: the picture alone, there once it can answer
  const root = element("div", { className: `pm pm-editor${plain ? " pm-plain" : ""}`, hidden: plain, "data-lm-suppress-shortcuts": "true" });
  const stage = makeStage(model, size);
  const view = makeView(stage.node, size);
  const status = element("p", { className: "pm-status", role: "status" });
  const editor = makeEditor({ model, doc, view, stage, status });
  const { transport, parts } = editor;
  const toolbar = makeToolbar(doc, editor, parts.json, model);
  const side = makeSide(parts, () => { editor.repaint(); parts.takes.paint(transport.n); });
  editor.openTab = side.open;
  editor.focus = () => stage.node.focus({ preventScroll: true });

  root.append(toolbar.node, element("div", { className: "pm-panes" }, stage.node, side.node), transport.node,
    element("div", { className: "pm-row pm-below" }, parts.list.node, status), parts.suggestions.node, parts.json.node, parts.ask.node, parts.takes.strip);
  el.append(root);
  watchHand(stage.node, view, doc, editor);
  watchKeys(stage.node, view, doc, editor);
  watchUndo(root, doc);
  takeFiles(root, parts.json);

  doc.listen((what) => {
    if (what === "commit") { parts.live.release(); keep(); }
    else if (what === "show" && doc.changing) parts.live.follow(doc.drags);
    else if (what === "show") parts.live.release();
    toolbar.paint();
    editor.repaint();
  });
  // The model holds the drags as a record. What comes from the other side is a step that can be undone.
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const keep = () => {
    if (same(model.get("record"), doc.record())) return;
    model.set("record", doc.record());
    model.save_changes();
    parts.ask.changed();
  };
  const listeners = {
    "change:record": () => { if (!same(model.get("record"), doc.record())) doc.load(model.get("record")); },
    "change:max_drags": () => doc.adapt({ most: model.get("max_drags") }),
    "change:frames": () => { doc.adapt({ frames: model.get("frames") }); transport.adapt({ frames: model.get("frames") }); },
    "change:levels": () => { parts.maps.build(); editor.repaint(); },
    "change:placement": () => editor.repaint(),
  };
  for (const [name, listener] of Object.entries(listeners)) model.on(name, listener);
  if (model.get("record").drags?.length) doc.start(model.get("record"));
  const sizes = new ResizeObserver(() => { view.resized(); editor.repaint(); parts.takes.paint(transport.n); });
  sizes.observe(stage.node);
  sizes.observe(side.node);
  const wake = () => {
    if (!plain || !root.hidden || !model.get("live")?.on) return;
    root.hidden = false;
    view.fit();
    parts.ask.changed();
  };
  model.on("change:live", wake);
  wake();
  view.fit();
  toolbar.paint();
  editor.paintNow();
  model.send?.({ kind: "ready" }); // the model can be loaded while the first drag is drawn
  await parts.takes.ready;
  return () => {
    transport.pause();
    sizes.disconnect();
    parts.ask.destroy();
    parts.live.destroy();
    parts.suggestions.destroy();
    model.off("change:live", wake);
    parts.takes.destroy();
    for (const [name, listener] of Object.entries(listeners)) model.off(name, listener);
  };
}

function makeStage(model, [width, height]) {
  const node = element("div", { className: "pm-stage", tabIndex: 0, role: "application",
    "aria-label": "picture: draw drags on it; arrows move the cross hair, Space puts a point, Enter ends the path, P puts a pin" });
  node.style.aspectRatio = String(Math.min(1.6, Math.max(0.75, width / height)));
  node.innerHTML = `<svg><image class="pm-picture" width="${width}" height="${height}" preserveAspectRatio="none"/>`
    + `<image class="pm-shade" width="${width}" height="${height}" preserveAspectRatio="none"/>`
    + '<g class="pm-frame"><path vector-effect="non-scaling-stroke"/></g><g class="pm-overlay"></g></svg>';
  const svg = { picture: node.querySelector(".pm-picture"), shade: node.querySelector(".pm-shade"), frame: node.querySelector(".pm-frame"), overlay: node.querySelector(".pm-overlay") };
  svg.picture.setAttribute("href", addressOf(model.get("image"), "image/png"));
  return { node, svg };
}

// What the hand, the keyboard and the panels share.
function makeEditor({ model, doc, view, stage, status }) {
  let cursor = null;
  let cursorShown = false;
  let pending = 0;
  let trial = null; // makes the drag that is being drawn, once for each frame of the screen
  const say = (message, alarm = false) => { status.textContent = message; status.classList.toggle("pm-alarm", alarm); };
  const frame = () => self.transport.n;
  const self = {
    tool: "draw", chain: null, rubber: null, panning: false, plain: model.get("plain"), say,
    sayFull: () => say(`${doc.drags.length} drags are drawn, and this model encodes at most ${doc.most}: delete one to draw another.`, true),
    preview(make) { trial = make; if (!make) { self.rubber = null; parts.live.release(); } self.repaint(); },
    addToChain(at) {
      if (!self.chain && doc.full) { self.sayFull(); return; }
      if (!self.chain) doc.select(-1);
      self.chain = [...(self.chain ?? []), at];
      say("Put further points; Enter or a click on the last one ends the path.");
      self.hover(at);
    },
    hover(at) {
      const path = [...self.chain, at];
      self.rubber = path;
      self.preview(() => ({ path, smooth: true, pace: paceOf("steady", doc.frames) }));
    },
    endChain() {
      const path = self.chain.filter((p, i, all) => !i || p[0] !== all[i - 1][0] || p[1] !== all[i - 1][1]);
      self.dropChain();
      if (path.length > 1) doc.add({ path, smooth: true, pace: paceOf("steady", doc.frames) });
    },
    dropChain() { self.chain = null; say(""); self.preview(null); },
    hideCursor() { cursorShown = false; },
    showCursor() { cursorShown = true; cursor ??= doc.size.map((side) => side / 2); self.repaint(); return cursor; },
    moveCursor(by) {
      cursor = self.showCursor().map((value, i) => value + by[i]);
      if (self.chain) self.hover(cursor);
    },
    zoom(by) { if (by) view.zoomTo(view.zoom * by, cursorShown ? cursor : undefined); else view.fit(); self.repaint(); },
    togglePlay: () => self.transport.toggle(),
    repaint() { pending ||= requestAnimationFrame(self.paintNow); },
    paintNow() {
      pending = 0;
      paintStage(stage.svg, view, doc, { n: frame(), cursor: cursorShown ? cursor : null, rubber: self.rubber, moving: self.transport.playing });
      parts.list.paint();
      parts.motion.paint();
      const drawn = trial?.();
      parts.maps.paint(drawn ? [...doc.drags, drawn] : doc.drags);
      if (drawn) parts.live.follow([...doc.drags, drawn]);
      parts.json.paint();
      self.onzoom?.(view.zoom);
    },
  };
  const parts = {};
  self.transport = makeTransport({ frames: doc.frames, fps: model.get("fps"), onframe: (n) => {
    self.repaint();
    parts.takes?.paint(n);
    if (self.plain && self.transport?.playing) parts.live.show(parts.takes.frame(n));
  } });
  parts.list = makeList(doc);
  parts.motion = makeMotion(doc);
  parts.maps = makeMaps(doc, frame, model);
  parts.json = makeJson(doc, say);
  parts.ask = makeAsk(model, doc, say);
  parts.live = makeLive(model, doc, stage.svg.picture, say);
  parts.suggestions = makeSuggestions(model, doc, stage.svg.shade, say);
  parts.takes = makeTakes(model, doc, self.transport, { say, onarrival: () => {
    self.openTab("result");
    if (!calm()) self.transport.play();
  } });
  doc.listen((what) => what !== "select" && !status.classList.contains("pm-alarm") && doc.drags.length && (status.textContent = ""));
  doc.listen((what) => what === "commit" && !doc.full && say(""));
  doc.listen((what) => what === "commit" && doc.drags.some((drag) => doc.beside(drag.path[0]))
    && say("A drag begins beside the picture, where nothing is to be moved.", true));
  self.parts = parts;
  return self;
}

function makeSide({ takes, maps, motion }, onopen) {
  const panes = { result: element("div", {}, takes.result, takes.empty), maps: maps.node, motion: motion.node };
  const open = (tab) => {
    for (const [name, pane] of Object.entries(panes)) pane.hidden = name !== tab;
    tabs.choose(tab);
    onopen();
  };
  const id = `pm${Math.random().toString(36).slice(2, 8)}`;
  const names = { maps: "Maps", motion: "Motion", result: "Result" };
  const tabs = choice("beside the picture", Object.keys(names).map((value) => (
    { value, name: names[value], id: `${id}-${value}`, controls: `${id}-${value}-pane` })), "maps", (tab) => open(tab), "tablist");
  for (const [name, pane] of Object.entries(panes)) {
    pane.setAttribute("role", "tabpanel");
    pane.setAttribute("aria-labelledby", `${id}-${name}`);
    pane.id = `${id}-${name}-pane`;
    pane.classList.add("pm-pane");
    pane.hidden = name !== "maps";
  }
  return { node: element("div", { className: "pm-side" }, tabs, ...Object.values(panes)), open };
}

function takeFiles(root, json) {
  root.addEventListener("dragover", (event) => { if (event.dataTransfer.types.includes("Files")) event.preventDefault(); });
  root.addEventListener("drop", (event) => {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    event.stopPropagation();
    json.open(event.dataTransfer.files[0]);
  });
}

export default { render };
