// The picture that follows the hand: while drags change, the model (a kernel's, or the page's own) is asked for where they lead.
// One question at a time: what comes meanwhile replaces what waits. On release the still picture is there again.

import { positions } from "./path.js";

// picture: the SVG image on the stage. moving(): the drags that a hand is changing, or null when none is.
export function makeLive(model, doc, picture, say) {
  const [canvas, still] = [document.createElement("canvas"), picture.getAttribute("href")];
  let [asked, waiting, number, shown] = [0, null, 0, false];
  const on = () => !!model.get("live")?.on && typeof model.send === "function";

  function ask(drags) {
    if (asked) { waiting = drags; return; }
    [asked, waiting] = [++number, null];
    const record = { ...doc.record(), drags: drags.map((drag) => ({ points: positions(drag) })) };
    model.send({ kind: "live", id: asked, record, seed: model.get("seed") });
  }
  function heard(message, buffers) {
    if (message?.kind !== "live" || message.id !== asked) return;
    asked = 0;
    if (!held) return; // let go meanwhile
    const { width, height } = message;
    const view = buffers[0];
    const rgb = new Uint8Array(view.buffer ?? view, view.byteOffset ?? 0, 3 * width * height);
    const rgba = new Uint8ClampedArray(4 * width * height).fill(255);
    for (let p = 0; p < width * height; p++) for (let c = 0; c < 3; c++) rgba[4 * p + c] = rgb[3 * p + c];
    [canvas.width, canvas.height] = [width, height];
    canvas.getContext("2d").putImageData(new ImageData(rgba, width, height), 0, 0);
    picture.dataset.live = String(Number(picture.dataset.live ?? 0) + 1); // how many there were
    show(canvas);
    if (waiting) ask(waiting);
  }
  function show(frame) { if (frame) { picture.setAttribute("href", frame.toDataURL()); shown = true; } }
  let held = false;
  function release() {
    [held, waiting, asked] = [false, null, 0]; // an answer under way is to an old number: it is dropped
    if (shown) picture.setAttribute("href", still);
    shown = false;
  }
  const told = () => { if (model.get("live")?.why) say(model.get("live").why); };
  const failed = () => { if (model.get("progress").state === "failed") release(); };
  model.on("msg:custom", heard);
  model.on("change:live", told);
  model.on("change:progress", failed);
  told();
  return {
    follow(drags) { if (!on() || !drags.length) return; held = true; ask(drags); },
    release, show,
    destroy() { model.off("msg:custom", heard); model.off("change:live", told); model.off("change:progress", failed); },
  };
}
