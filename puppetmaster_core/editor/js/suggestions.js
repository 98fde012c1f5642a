// "Suggest drags": the parts that the model says may move, shown on the picture; a click takes a part's arrow as a drag.

import { button, element } from "./dom.js";
import { SIDE } from "./dropped.js";

export function makeSuggestions(model, doc, say) {
  const alive = typeof model.send === "function" && model.get("live")?.on !== undefined;
  const chips = element("span", { className: "pm-list" });
  const node = element("div", { className: "pm-row pm-suggest", hidden: !alive },
    button(null, "Show which parts look movable, and an arrow for each", () => { say("Looking for parts that may move …"); model.send({ kind: "suggest" }); }, { text: "Suggest drags" }), chips);

  function draw(mask, canvas) { // the part's mask, cut to the picture
    const { left, top, width, height } = model.get("placement");
    const [w, h] = [Math.max(1, Math.round(width * SIDE)), Math.max(1, Math.round(height * SIDE))];
    [canvas.width, canvas.height] = [w, h];
    const picture = new ImageData(w, h);
    const values = new Uint8Array(mask.buffer ?? mask, mask.byteOffset ?? 0, SIDE * SIDE);
    for (let y = 0; y < h; y++) {
      for (let x = 0; x < w; x++) {
        const value = values[(y + Math.round(top * SIDE)) * SIDE + x + Math.round(left * SIDE)];
        picture.data.set([value, value, value, 255], 4 * (y * w + x));
      }
    }
    canvas.getContext("2d").putImageData(picture, 0, 0);
    return canvas;
  }
  function build() {
    const parts = model.get("parts") ?? [];
    chips.replaceChildren(...parts.map((part, k) => {
      const canvas = draw(part.mask, element("canvas", { role: "img", "aria-label": `mask of part ${k + 1}` }));
      canvas.style.width = "40px";
      return element("span", { className: "pm-part" },
        element("button", { type: "button", title: "Take this part's arrow as a drag", "aria-label": `drag part ${k + 1}`, onclick: () => {
          if (doc.full) { say(`${doc.drags.length} drags are drawn, as many as this model takes: delete one first.`, true); return; }
          const own = doc.record();
          doc.load({ ...own, drags: [...own.drags, ...part.record.drags] });
        } }, canvas),
        button(null, `Save the mask of part ${k + 1}`, () => {
          element("a", { href: canvas.toDataURL("image/png"), download: `part-${k + 1}.png` }).click();
        }, { text: "⤓", "aria-label": `save mask ${k + 1}` }));
    }));
    if (parts.length) say(`${parts.length} part${parts.length > 1 ? "s" : ""} may move: a click takes the arrow.`);
  }
  model.on("change:parts", build);
  return { node, destroy: () => model.off("change:parts", build) };
}
