// Networks as tapes: PyTorch's operations one after the other (written by the package's tape.py), replayed on given tensors.

import { makeLayers } from "./layers.js";
import { makeKernels } from "./kernels.js";
import { makeMemory } from "./memory.js";
import { OPERATIONS } from "./operations.js";
import { blank, sizeOf, tensor, workIn } from "./tensors.js";

const halfOf = (bits) => { // a half-precision number
  const [sign, exponent, rest] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + rest / 1024) : 2 ** -14 * (rest / 1024));
};

let halves = null; // every half-precision number, by its bits

// Weights out of `bytes`: { kind: "f4" | "f2" | "i1", at, shape, axis }; an i1 has, before its bytes, a scale each along `axis`.
function readConstant({ kind, at, shape, axis = 0 }, bytes) {
  const count = sizeOf(shape);
  if (kind === "f4") return tensor(shape, new Float32Array(bytes.slice(at, at + 4 * count)));
  const made = tensor(shape, new Float32Array(count));
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
  const memory = makeMemory();
  const kernels = makeKernels(memory.memory);
  const operations = { ...OPERATIONS, ...makeLayers(memory, kernels) };
  const constants = new Map(); // read when first needed
  const constant = (number) => {
    if (!constants.has(number)) constants.set(number, readConstant(weights[number], bytes));
    return constants.get(number);
  };
  const lastUse = new Map(); // tape → at which step each tensor is read last, so that memory goes back

  function useOf(tape) {
    const last = new Map();
    const visit = (value, i) => {
      if (Array.isArray(value)) value.forEach((one) => visit(one, i));
      else if (value && typeof value === "object") "t" in value ? last.set(value.t, i) : Object.values(value).forEach((one) => visit(one, i));
    };
    tape.steps.forEach(([, args, results], i) => { results.forEach((number) => last.set(number, i)); visit(args, i); });
    const ends = tape.steps.map(() => []);
    for (const [number, i] of last) if (number >= 0 && !tape.outputs.includes(number)) ends[i].push(number);
    return ends;
  }

  function play(tape, given) {
    const [values, uses] = [new Map(), new Map()]; // tensors by number; how many of them share a place in memory
    const hold = (number, data) => {
      values.set(number, { shape: tape.shapes[number], data });
      uses.set(data.byteOffset, (uses.get(data.byteOffset) ?? 0) + 1);
    };
    const drop = (number) => {
      const place = values.get(number)?.data.byteOffset;
      if (place === undefined) return;
      values.delete(number);
      uses.set(place, uses.get(place) - 1);
      if (!uses.get(place)) memory.release(place);
    };
    const value = (number) => (number < 0 ? constant(tape.constants[-1 - number]) : values.get(number));
    const told = (arg) => (Array.isArray(arg) ? arg.map(told) : arg && typeof arg === "object"
      ? ("t" in arg ? value(arg.t) : Object.fromEntries(Object.entries(arg).map(([key, one]) => [key, told(one)])))
      : arg === null ? undefined : arg);
    given.forEach((one, i) => { const { data } = blank(one.shape); data.set(one.data); hold(tape.inputs[i], data); });
    memory.fresh();
    tape.steps.forEach(([operation, [ordered, named], results], i) => {
      const made = [operations[operation](...ordered.map(told), ...(named ? [told(named)] : []))].flat();
      results.forEach((number, r) => made[r] && hold(number, own(made[r].data)));
      for (const place of memory.fresh()) if (!uses.get(place)) memory.release(place); // what only the operation needed
      lastUse.get(tape)[i].forEach(drop);
    });
    return tape.outputs.map((number) => { const { shape, data } = value(number); return tensor(shape, new Float32Array(data)); });
  }
  const own = (data) => { // a constant that passed through an operation as it is
    if (data.buffer === memory.floats.buffer) return data;
    const copy = blank([data.length]).data;
    copy.set(data);
    return copy;
  };

  function run(name, ...given) {
    const tape = tapes[name];
    if (!lastUse.has(tape)) lastUse.set(tape, useOf(tape));
    memory.reset();
    workIn({ memory, kernels });
    try { return play(tape, given); } finally { workIn(null); }
  }
  return { run };
}
