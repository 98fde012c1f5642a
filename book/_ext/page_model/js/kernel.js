// The page's own kernel: what a notebook's kernel does for the editor, done by the engine in a worker (js/worker.js).

const MOST = 128; // pixels a side, at which pictures move: at 256 painting takes twice as long as all the rest

// model: a widget's, without `send`. load(): the model's script, as packing.py writes it. Returns a model with `send`.
export function withEngine(model, load) {
  const own = { live: { on: false, why: "" }, progress: model.get("progress"), frames: model.get("frames"), max_drags: model.get("max_drags"),
    qualities: ["draft"], quality: "draft" };
  const heard = new Map();
  const tell = (name, ...what) => [...(heard.get(name) ?? [])].forEach((call) => call(...what));
  const set = (name, value) => { own[name] = value; tell(`change:${name}`); };
  const busy = (state) => set("progress", state);
  const failed = (message) => { film = null; busy({ state: "failed", message }); };
  let [worker, film, side] = [null, null, 64];

  async function start() {
    busy({ state: "loading" });
    const given = await load();
    const text = atob(given.bytes);
    const packed = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) packed[i] = text.charCodeAt(i);
    const bytes = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"))).arrayBuffer();
    const address = URL.createObjectURL(new Blob([given.engine], { type: "text/javascript" }));
    worker = new Worker(address); // a classic one: from a file, browsers start no modules
    worker.onmessage = ({ data }) => answered(data);
    worker.onerror = (event) => failed(event.message || "The model could not be started in this browser.");
    worker.postMessage({ kind: "model", model: { tapes: given.tapes, weights: given.weights, settings: given.settings }, bytes }, [bytes]);
    worker.postMessage({ kind: "picture", ...await square() });
    for (const name of ["frames", "max_drags"]) if (own[name] !== given.settings[name]) set(name, given.settings[name]);
  }
  // The picture in the middle of a white square of 64 or 128 pixels, the first that holds it.
  async function square() {
    const picture = await createImageBitmap(new Blob([model.get("image")], { type: "image/png" }));
    for (side = 64; side < Math.min(MOST, Math.max(picture.width, picture.height));) side *= 2;
    const context = Object.assign(document.createElement("canvas"), { width: side, height: side }).getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, side, side);
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, ...box());
    return { pixels: context.getImageData(0, 0, side, side).data, side };
  }
  const box = () => { // left, top, width and height of the picture in the square, in pixels
    const [w, h] = model.get("image_size");
    const [width, height] = [w, h].map((length) => Math.max(1, Math.round((length * side) / Math.max(w, h))));
    return [Math.floor((side - width) / 2), Math.floor((side - height) / 2), width, height];
  };
  const inSquare = (record) => {
    const [[left, top, width, height], [w, h]] = [box(), record.image_size];
    return record.drags.map(({ points }) => points.map(([x, y]) => [(left + (x / w) * width) / side, (top + (y / h) * height) / side]));
  };
  const fromSquare = ([x, y]) => {
    const [[left, top, width, height], [w, h]] = [box(), model.get("image_size")];
    return [((x * side - left) / width) * w, ((y * side - top) / height) * h];
  };

  function answered(data) {
    if (data.kind === "ready") { set("live", { on: true, why: "" }); busy({ state: "idle" }); }
    else if (data.kind === "failed") failed(data.message);
    else if (data.kind === "parts") suggested(data.parts);
    else if (data.live) shown(data);
    else if (film?.id === data.id) collected(data);
  }
  function shown({ id, pixels }) {
    const [left, top, width, height] = box();
    const rgb = new Uint8Array(3 * width * height);
    for (let p = 0; p < width * height; p++) {
      const from = 4 * ((top + Math.floor(p / width)) * side + left + (p % width));
      for (let c = 0; c < 3; c++) rgb[3 * p + c] = pixels[from + c];
    }
    tell("msg:custom", { kind: "live", id, width, height }, [rgb]);
  }
  function suggested(parts) {
    set("parts", parts.map(({ mask, from, to }) => ({ mask: Uint8Array.from(mask, (value) => 255 * value),
      record: { format: "puppetmaster.drags/1", image_size: model.get("image_size"), drags: [{ points: [from, to].map(fromSquare) }] } })));
    if (!parts.length) failed("No part of this picture looks movable to the model: draw a drag of your own.");
  }
  async function collected({ n, count, pixels }) {
    film.frames[n] = new ImageData(pixels, side, side);
    busy({ state: "drawing", step: n, steps: count });
    if (n < count) return;
    const { id, record, seed, begun, frames } = film;
    film = null;
    const [left, top, width, height] = box();
    const strip = Object.assign(document.createElement("canvas"), { width: width * (count + 1), height });
    const context = strip.getContext("2d");
    context.drawImage(await createImageBitmap(new Blob([model.get("image")], { type: "image/png" })), 0, 0, width, height);
    for (let i = 1; i <= count; i++) context.drawImage(await createImageBitmap(frames[i], left, top, width, height), i * width, 0);
    const blob = await new Promise((resolve) => strip.toBlob(resolve, "image/png"));
    const drags = record.drags.map(({ points }) => points.map(([x, y]) => [x / record.image_size[0], y / record.image_size[1]]));
    const one = { id, seed, quality: "in the page", seconds: (performance.now() - begun) / 1000, drags, record, count: count + 1, columns: count + 1,
      strip: new DataView(await blob.arrayBuffer()), type: "image/png", width, height };
    set("shown_takes", [...self.get("shown_takes"), one].slice(-12));
    busy({ state: "idle" });
  }

  const self = {
    get: (name) => (name in own ? own[name] : model.get(name)),
    set: (name, value) => (name in own ? set(name, value) : model.set(name, value)),
    save_changes: () => model.save_changes(),
    on(name, call) { heard.set(name, [...(heard.get(name) ?? []), call]); model.on(name, call); },
    off(name, call) { heard.set(name, (heard.get(name) ?? []).filter((one) => one !== call)); model.off(name, call); },
    send(message) {
      if (message.kind === "ready") { start().catch((error) => failed(error.message)); return; }
      if (message.kind === "stop") { film = null; worker?.postMessage({ kind: "stop" }); busy({ state: "idle" }); return; }
      if (!worker) { failed("The model is not here yet: wait a moment, then ask again."); return; }
      if (message.kind === "suggest") { worker.postMessage({ kind: "suggest" }); return; }
      const drags = inSquare(message.record);
      if (message.kind === "live") {
        if (film) { film = null; busy({ state: "idle" }); } // it would be of drags that are no more
        worker.postMessage({ kind: "live", id: message.id, drags, seed: message.seed });
        return;
      }
      film = { id: Math.max(0, ...self.get("shown_takes").map((one) => one.id)) + 1, record: message.record, seed: message.seed, begun: performance.now(), frames: [] };
      busy({ state: "drawing" });
      worker.postMessage({ kind: "video", id: film.id, drags, seed: message.seed });
    },
    destroy() { worker?.terminate(); },
  };
  return self;
}
