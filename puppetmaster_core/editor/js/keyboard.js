// The keyboard on the stage: a cross hair where nothing is selected, and what is selected otherwise, moves with the arrows.

import { isPin, moved, paceOf } from "./path.js";

export const HELP = [
  ["press, drag, let go", "draw a path; Shift: a straight one"],
  ["arrows", "move the cross hair, or what is selected; Shift: 10 pixels"],
  ["Space", "put a point of a path"], ["Enter, double click", "end the path"], ["P", "put a pin"],
  ["N, B", "select the next, the previous drag"], [". ,", "select its next, its previous point"],
  ["Alt + press on a line", "add a point"], ["Delete", "delete what is selected"], ["Escape", "let go"],
  ["Ctrl + Z, Ctrl + Shift + Z", "undo, redo"], ["+ − 0", "zoom in, out, fit; also Ctrl + wheel, two fingers"],
  ["K", "play or pause"],
];

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export function watchKeys(stage, view, doc, editor) {
  const step = (by) => {
    const { drag: k, point } = doc.selected;
    if (k < 0) { editor.moveCursor(by); return; }
    const drag = doc.current;
    const path = drag.path.map((p, i) => (i === point ? [p[0] + by[0], p[1] + by[1]] : p));
    doc.commit(doc.replaced(k, point < 0 || isPin(drag) ? moved(drag, by) : { ...drag, path }));
  };
  const around = (value, by, count) => (count ? (value + by + count) % count : -1);
  const drags = (by) => doc.select(around(doc.selected.drag < 0 && by < 0 ? 0 : doc.selected.drag, by, doc.drags.length));
  const points = (by) => doc.current && doc.select(doc.selected.drag, around(doc.selected.point, by, doc.current.path.length));
  const atCursor = (use) => (doc.full && !editor.chain ? editor.sayFull() : use(editor.showCursor()));

  const KEYS = {
    " ": () => atCursor((at) => { doc.select(-1); editor.addToChain(at); }),
    Enter: () => (editor.chain ? editor.endChain() : atCursor((at) => { doc.select(-1); editor.addToChain(at); })),
    p: () => atCursor((at) => doc.add({ path: [at], smooth: false, pace: paceOf("steady", doc.frames) })),
    n: () => drags(1), b: () => drags(-1), ".": () => points(1), ",": () => points(-1),
    Delete: () => doc.remove(), Backspace: () => doc.remove(),
    Escape: () => (editor.chain ? editor.dropChain() : doc.select(-1)),
    "+": () => editor.zoom(1.25), "=": () => editor.zoom(1.25), "-": () => editor.zoom(0.8), 0: () => editor.zoom(0),
    k: () => editor.togglePlay(),
  };

  stage.addEventListener("keydown", (event) => {
    const control = event.ctrlKey || event.metaKey;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const by = ARROWS[event.key];
    if (control || event.altKey) return;
    if (by) step(by.map((value) => value * (event.shiftKey ? 10 : 1)));
    else if (KEYS[key]) KEYS[key]();
    else return;
    event.preventDefault();
  });
}

// Anywhere in the editor but in a field for text, where undoing is the field's own.
export function watchUndo(root, doc) {
  root.addEventListener("keydown", (event) => {
    event.stopPropagation(); // the notebook would run, cut and delete cells
    if (!(event.ctrlKey || event.metaKey) || event.target.matches("textarea, input[type=text], input[type=number]")) return;
    const key = event.key.toLowerCase();
    if (key === "z") event.shiftKey ? doc.redo() : doc.undo();
    else if (key === "y") doc.redo();
    else return;
    event.preventDefault();
  });
  for (const kind of ["keyup", "keypress", "paste", "copy", "cut"]) {
    root.addEventListener(kind, (event) => event.stopPropagation());
  }
}
