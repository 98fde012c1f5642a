// Drags in and out as JSON: as text to copy or paste, and as files.

import { button, element } from "./dom.js";

export function makeJson(doc, say) {
  const text = element("textarea", { rows: 6, spellcheck: false, "aria-label": "drags as JSON" });
  const chosen = element("input", { type: "file", accept: ".json,application/json", hidden: true,
    onchange: () => { if (chosen.files[0]) open(chosen.files[0]); chosen.value = ""; } });
  const read = (source) => {
    try {
      doc.load(JSON.parse(source));
      say(`${doc.drags.length} drags read.`);
    } catch (error) {
      say(error instanceof SyntaxError ? "This is not JSON." : error.message, true);
    }
  };
  const open = async (file) => read(await file.text());
  const save = () => {
    const address = URL.createObjectURL(new Blob([JSON.stringify(doc.record(), null, 1)], { type: "application/json" }));
    element("a", { href: address, download: "drags.json" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  };
  const copy = async () => {
    text.select();
    try { await navigator.clipboard.writeText(text.value); say("Copied."); } catch { say("Selected: copy it with the keyboard."); }
  };
  const node = element("div", { className: "pm-json", hidden: true }, text, element("div", { className: "pm-row" },
    button(null, "Take the drags of this text", () => read(text.value), { text: "Use this text" }),
    button(null, "Copy the text", copy, { text: "Copy" }),
    button(null, "Download drags.json", save, { text: "Download" }),
    button(null, "Open a file of drags", () => chosen.click(), { text: "Open a file" }), chosen));
  return {
    node, open,
    toggle() { node.hidden = !node.hidden; this.paint(); if (!node.hidden) text.focus(); return !node.hidden; },
    paint() {
      if (node.hidden || document.activeElement === text) return;
      const record = doc.record();
      text.value = JSON.stringify({ ...record, drags: record.drags.map(({ points }) => ({ points })) });
    },
  };
}
