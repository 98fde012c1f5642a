// The model in the page: a picture and drags in, frames out (the package's pipeline.py, for motion latents).

import { antialiased, enlarged, halved } from "./layers.js";
import { atPicture, coarser, moved } from "./motion.js";
import { composed } from "./painter.js";
import { tensor } from "./tensors.js";
import { guideOf } from "./snap.js";
import { makePlayer } from "./tape.js";

export const SIDE = 64; // pixels a side that the network sees
const LIVE = 2; // frames while a hand moves: the first and the last
const [MEAN, DEVIATION] = [[0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]]; // of CLIP's pixels

function noiseOf(seed, count) { // unit normal numbers, the same for a seed in every browser (mulberry32, Box and Muller)
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return Float32Array.from({ length: count }, () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()));
}

export function makeEngine(model, bytes) {
  const { settings } = model;
  const player = makePlayer(model, bytes);
  let seen = null; // what was seen of the picture, and of where its drags begin

  // pixels: RGBA bytes of a square picture of W pixels, 64, 128 or 256.
  function open(pixels, W) {
    const P = W * W;
    if (![64, 128, 256].includes(W) || pixels.length !== 4 * P) throw new Error(`Got a picture of ${W} pixels, expected a square one of 64, 128 or 256.`);
    const first = Float32Array.from({ length: 3 * P }, (_, i) => pixels[4 * (i % P) + Math.floor(i / P)] / 127.5 - 1);
    const whole = tensor([1, 3, W, W], first);
    const small = W > SIDE ? halved(whole, W / SIDE) : whole;
    const clip = W === settings.clip ? tensor(whole.shape, first.slice()) : enlarged(whole, [settings.clip, settings.clip], antialiased);
    const each = settings.clip ** 2;
    for (let i = 0; i < clip.data.length; i++) {
      const c = Math.floor(i / each);
      clip.data[i] = (clip.data[i] / 2 + 0.5 - MEAN[c]) / DEVIATION[c];
    }
    const looks = player.run("look", small, clip); // deep features first, then finer ones, then what is told of pixels
    const embedding = looks.pop();
    seen = { W, first, guide: guideOf(first, W), looks, embedding, origins: "" };
  }

  // The parts that drags begin on: masks (1, K, S, S), and codes that say how they move. origins: [x, y] in the unit square.
  function partsAt(origins) {
    const key = JSON.stringify(origins);
    if (seen.origins !== key) {
      const points = tensor([1, settings.max_drags, 2]);
      origins.forEach((point, k) => points.data.set(point, 2 * k));
      const [masks, codes] = player.run("parts", ...seen.looks, points);
      masks.data.fill(0, origins.length * SIDE * SIDE);
      Object.assign(seen, { origins: key, parts: { masks, codes } });
    }
    return seen.parts;
  }

  // How parts move: drags [K][N][2] in the unit square of the opened picture. noise: of the latents, or a seed of it.
  function motionOf(drags, { live = false, steps = settings.sigmas, seed = 0, noise = null } = {}) {
    if (!seen) throw new Error("No picture is open.");
    if (drags.length > settings.max_drags) throw new Error(`Got ${drags.length} drags, this model takes at most ${settings.max_drags}: delete one.`);
    const N = live ? LIVE : settings.frames;
    const { masks, codes } = partsAt(drags.map((points) => points[0]));
    const points = tensor([1, settings.max_drags, N, 2]);
    drags.forEach((drag, k) => (live ? [drag[0], drag.at(-1)] : drag).forEach((point, n) => points.data.set(point, 2 * (k * N + n))));
    const present = tensor([1, settings.max_drags], Float32Array.from({ length: settings.max_drags }, (_, k) => +(k < drags.length)));
    const numbers = tensor([N], Float32Array.from({ length: N }, (_, n) => (live && n ? settings.frames - 1 : n)));
    const [given, guessed] = player.run(`given${N}`, seen.looks[0], seen.looks.at(-1), masks, codes, points);
    const x = tensor([1, N, settings.channels, settings.grid, settings.grid]);
    x.data.set((noise ?? noiseOf(seed, x.data.length)).map((value) => value * settings.start));
    const sigmas = live ? [steps[0], 0] : steps;
    for (let i = 0; i + 1 < sigmas.length; i++) { // Euler's: x moves along d = (x − D) / σ
      const [clean] = player.run(`clean${N}`, x, tensor([1], Float32Array.of(sigmas[i])), given, seen.embedding, points, present, numbers);
      const share = sigmas[i + 1] / sigmas[i];
      for (let n = 0; n < x.data.length; n++) x.data[n] = clean.data[n] + share * (x.data[n] - clean.data[n]);
    }
    const [parts, fields] = player.run(`motion${N}`, x, masks, guessed, points);
    return { masks: parts, fields, latents: x };
  }

  function paint(given) {
    const W = given.shape[2];
    if (W === SIDE) return player.run("paint", given)[0];
    return player.run(`paint${W}`, given, paint(coarser(given)))[0];
  }

  // Frames, RGBA bytes (W, W), one after the other: all of a video, or the last alone. The first frame is the picture.
  function* frames(drags, options = {}) {
    const { W, first, guide } = seen ?? {};
    const { masks, fields } = motionOf(drags, options);
    const { weight, frame } = atPicture(masks, fields, W, guide);
    for (let n = 1; n < fields.shape[1]; n++) {
      const one = moved(first, frame(n), weight, W);
      yield composed(first, one, paint(one.given), W);
    }
  }

  return { open, partsAt, motionOf, frames, settings, get seen() { return seen; } };
}
