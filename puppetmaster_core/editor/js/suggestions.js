// "Suggest drags": the parts that the model says may move, shown on the picture; a click takes a part's arrow as a drag.

import { button, element } from "./dom.js";

const SIDE = 64; // pixels a side of a part's mask: of the square that the network sees

// shade: an SVG image over the picture, for the mask of the part that one looks at.
export function makeSuggestions(model, doc, shade, say) {
  const alive = typeof model.send === "function" && model.get("live")?.on !== undefined;
  const chips = element("span", { className: "pm-list" });
  const ask = () => { say("Looking for parts that may move …"); model.send({ kind: "suggest" }); };
  const node = element("div", { className: "pm-row pm-suggest", hidden: !alive },
    button(null, "Show which parts look movable, and an arrow for each", ask, { text: "Suggest drags" }), chips);

  function draw(mask, paint) { // the part's mask, cut to the picture; paint(value): its red, green, blue and alpha
    const { left, top, width, height } = model.get("placement");
    const [w, h] = [Math.max(1, Math.round(width * SIDE)), Math.max(1, Math.round(height * SIDE))];
    const canvas = element("canvas", { width: w, height: h });
    const picture = new ImageData(w, h);
    const values = new Uint8Array(mask.buffer ?? mask, mask.byteOffset ?? 0, SIDE * SIDE);
    for (let p = 0; p < w * h; p++) {
      picture.data.set(paint(values[(Math.floor(p / w) + Math.round(top * SIDE)) * SIDE + (p % w) + Math.round(left * SIDE)]), 4 * p);
    }
    canvas.getContext("2d").putImageData(picture, 0, 0);
    return canvas;
  }
  function chip({ mask, record }, k) {
    const canvas = draw(mask, (value) => [value, value, value, 255]);
    const tint = draw(mask, (value) => [230, 90, 0, 0.6 * value]).toDataURL();
    const look = (on) => () => shade.setAttribute("href", on ? tint : "");
    const take = () => {
      if (doc.full) { say(`${doc.drags.length} drags are drawn, as many as this model takes: delete one first.`, true); return; }
      const own = doc.record();
      doc.load({ ...own, drags: [...own.drags, ...record.drags] });
    };
    const save = () => element("a", { href: canvas.toDataURL("image/png"), download: `part-${k + 1}.png` }).click();
    return element("span", { className: "pm-part", onpointerenter: look(true), onpointerleave: look(false), onfocusin: look(true), onfocusout: look(false) },
      element("button", { type: "button", title: "Take this part's arrow as a drag", "aria-label": `drag part ${k + 1}`, onclick: take },
        Object.assign(canvas, { role: "img", ariaLabel: `mask of part ${k + 1}` })),
      button(null, `Save the mask of part ${k + 1}`, save, { text: "⤓", "aria-label": `save mask ${k + 1}` }));
  }
  function build() {
    const parts = model.get("parts") ?? [];
    chips.replaceChildren(...parts.map(chip));
    if (parts.length) say(`${parts.length} part${parts.length > 1 ? "s" : ""} may move: a click takes the arrow.`);
  }
  model.on("change:parts", build);
  return { node, destroy: () => model.off("change:parts", build) };
}
