// The engine in a thread of its own. To it: { kind: "model", model, bytes }, { kind: "picture", pixels, side },
// { kind: "live" | "video", id, drags, seed }, { kind: "suggest" }, { kind: "stop" }. From it: { kind: "ready" },
// { kind: "frame", live, id, n, count, pixels }, { kind: "parts", parts }, { kind: "failed", id, message }.

import { makeEngine } from "./engine.js";
import { suggest } from "./suggest.js";

let engine = null;
let newest = 0; // a video goes on until something else is asked
const pause = () => new Promise((resolve) => { setTimeout(resolve); });

async function answer({ kind, id, model, bytes, pixels, side, drags, seed }) {
  const own = ++newest;
  if (kind === "model") engine = makeEngine(model, bytes);
  else if (kind === "picture") { engine.open(pixels, side); postMessage({ kind: "ready" }); }
  else if (kind === "suggest") postMessage({ kind: "parts", parts: suggest(engine) });
  else if (kind === "live" || kind === "video") {
    const live = kind === "live";
    let n = 0;
    for (const frame of engine.frames(drags, { live, seed })) {
      postMessage({ kind: "frame", live, id, n: ++n, count: live ? 1 : engine.settings.frames - 1, pixels: frame }, [frame.buffer]);
      if (live) return;
      await pause();
      if (own !== newest) return;
    }
  }
}

globalThis.onmessage = ({ data }) => answer(data).catch((error) => postMessage({ kind: "failed", id: data.id, message: error.message }));
