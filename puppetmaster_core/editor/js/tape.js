// Networks as tapes: PyTorch's operations one after the other (written by the package's tape.py), replayed on given tensors.

import { makeLayers } from "./layers.js";
import { makeMatrices } from "./matrix.js";
import { OPERATIONS, sizeOf, tensor } from "./operations.js";

const halfOf = (bits) => { // a half-precision number
  const [sign, exponent, rest] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + rest / 1024) : 2 ** -14 * (rest / 1024));
};

let halves = null; // every half-precision number, by its bits

// Weights out of `bytes`: { kind: "f4" | "f2" | "i1", at, shape, axis }; an i1 has, before its bytes, a scale each along `axis`.
export function readConstant({ kind, at, shape, axis = 0 }, bytes) {
  const count = sizeOf(shape);
  if (kind === "f4") return tensor(shape, new Float32Array(bytes.slice(at, at + 4 * count)));
  const made = tensor(shape);
  if (kind === "f2") {
    halves ??= Float32Array.from({ length: 65536 }, (_, bits) => halfOf(bits));
    new Uint16Array(bytes.slice(at, at + 2 * count)).forEach((bits, i) => { made.data[i] = halves[bits]; });
    return made;
  }
  const scales = new Float32Array(bytes.slice(at, at + 4 * shape[axis]));
  const whole = new Int8Array(bytes, at + 4 * shape[axis], count);
  const inner = sizeOf(shape.slice(axis + 1));
  for (let i = 0; i < count; i++) made.data[i] = whole[i] * scales[Math.floor(i / inner) % shape[axis]];
  return made;
}

// tapes: { name: { inputs, outputs, steps, constants: [numbers of weights], shapes } }. Returns { run(name, ...tensors) }.
export function makePlayer({ tapes, weights }, bytes) {
  const constants = new Map(); // read when first needed
  const known = new WeakSet();
  const constant = (number) => {
    if (!constants.has(number)) {
      constants.set(number, readConstant(weights[number], bytes));
      known.add(constants.get(number).data);
    }
    return constants.get(number);
  };
  const operations = { ...OPERATIONS, ...makeLayers(makeMatrices(), (x) => known.has(x.data)) };
  const lastUse = new Map(); // tape → at which step each tensor is read last, so that memory goes back

  function useOf(tape) {
    const last = new Map();
    const visit = (value, i) => {
      if (Array.isArray(value)) value.forEach((one) => visit(one, i));
      else if (value && typeof value === "object") "t" in value ? last.set(value.t, i) : Object.values(value).forEach((one) => visit(one, i));
    };
    tape.steps.forEach(([, args], i) => visit(args, i));
    const ends = tape.steps.map(() => []);
    for (const [number, i] of last) if (number >= 0 && !tape.outputs.includes(number)) ends[i].push(number);
    return ends;
  }

  function run(name, ...given) {
    const tape = tapes[name];
    if (!lastUse.has(tape)) lastUse.set(tape, useOf(tape));
    const ends = lastUse.get(tape);
    const values = new Map(given.map((one, i) => [tape.inputs[i], tensor(tape.shapes[tape.inputs[i]], one.data)]));
    const value = (number) => (number < 0 ? constant(tape.constants[-1 - number]) : values.get(number));
    const told = (arg) => (Array.isArray(arg) ? arg.map(told) : arg && typeof arg === "object"
      ? ("t" in arg ? value(arg.t) : Object.fromEntries(Object.entries(arg).map(([key, one]) => [key, told(one)])))
      : arg === null ? undefined : arg);
    tape.steps.forEach(([operation, args, results], i) => {
      const [ordered, named] = args;
      const made = [operations[operation](...ordered.map(told), ...(named ? [told(named)] : []))].flat();
      results.forEach((number, r) => { if (made[r]) values.set(number, tensor(tape.shapes[number], made[r].data)); });
      for (const number of ends[i]) values.delete(number);
    });
    return tape.outputs.map(value);
  }
  return { run };
}
