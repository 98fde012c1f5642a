// A picture that a reader drops on the editor of a page: the same editor on another picture.

const LARGEST = 4096; // pixels a side that are read; what is shown has at most SHOWN
const SHOWN = 1024;
const SIDE = 64; // pixels a side of the square that the network sees

// model: a widget's. Returns one with the picture in its place, nothing drawn and no takes. Throws an Error that can be shown.
export async function withPicture(model, file) {
  const picture = await createImageBitmap(file).catch(() => { throw new Error(`${file.name} is no picture that this browser can read.`); });
  if (Math.max(picture.width, picture.height) > LARGEST) {
    throw new Error(`${file.name} has ${picture.width} × ${picture.height} pixels, at most ${LARGEST} a side can be taken: make it smaller.`);
  }
  const share = Math.min(1, SHOWN / Math.max(picture.width, picture.height));
  const [width, height] = [picture.width, picture.height].map((length) => Math.max(1, Math.round(share * length)));
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d");
  [context.fillStyle, context.imageSmoothingQuality] = ["#fff", "high"];
  context.fillRect(0, 0, width, height); // what is transparent is white, as in the package
  context.drawImage(picture, 0, 0, width, height);
  const bytes = await (await new Promise((resolve) => canvas.toBlob(resolve, "image/png"))).arrayBuffer();

  const [wide, tall] = [width, height].map((length) => Math.max(1, Math.round((length * SIDE) / Math.max(width, height))));
  const size = [width, height];
  const own = {
    image: new DataView(bytes), image_size: size, record: { ...model.get("record"), image_size: size, drags: [] }, presets: {},
    shown_takes: [], parts: [], progress: { state: "idle" }, placement: { left: Math.floor((SIDE - wide) / 2) / SIDE,
      top: Math.floor((SIDE - tall) / 2) / SIDE, width: wide / SIDE, height: tall / SIDE },
  };
  const heard = new EventTarget();
  return {
    get: (name) => (name in own ? own[name] : model.get(name)),
    set(name, value) { own[name] = value; heard.dispatchEvent(new Event(`change:${name}`)); },
    save_changes() {},
    on: (name, call) => heard.addEventListener(name, call),
    off: (name, call) => heard.removeEventListener(name, call),
  };
}
