// The engine's memory: what stays (weights, tables) fills it from the end, what one run of a tape computes from the beginning.

const SIZE = 128 << 20; // bytes; a browser gives a page what of them is used

export function makeMemory() {
  let memory;
  try { memory = new WebAssembly.Memory({ initial: SIZE >> 16 }); } catch { throw new Error("There is no memory for the model: close other tabs, then open this page again."); }
  const floats = new Float32Array(memory.buffer);
  const integers = new Int32Array(memory.buffer);
  const [free, sizes, kept] = [new Map(), new Map(), new Map()];
  let [low, high, fresh] = [64, SIZE, []];
  const bytesOf = (count) => (4 * count + 127) & ~63; // a vector may reach over the end
  const check = () => { if (low > high) throw new Error("This picture needs more memory than there is: take a smaller one."); };
  const self = {
    memory, floats, integers,
    allocate(count) {
      const size = bytesOf(count);
      let at = free.get(size)?.pop();
      if (at === undefined) { at = low; low += size; check(); }
      sizes.set(at, size);
      fresh.push(at);
      return new Float32Array(memory.buffer, at, count);
    },
    release(at) { const size = sizes.get(at); if (!free.has(size)) free.set(size, []); free.get(size).push(at); },
    fresh() { const all = fresh; fresh = []; return all; }, // what was allocated since one asked last
    reset() { free.clear(); sizes.clear(); [low, fresh] = [64, []]; },
    // Where `count` numbers lie that stay, made from `source` by fill(place), in bytes.
    keep(source, name, count, fill) {
      if (!kept.has(source)) kept.set(source, new Map());
      const own = kept.get(source);
      if (!own.has(name)) {
        high = (high - bytesOf(count)) & ~63;
        check();
        own.set(name, high);
        fill(high >> 2);
      }
      return own.get(name);
    },
    // Of a tensor's numbers; those that were not computed here are weights.
    addressOf: (data) => (data.buffer === memory.buffer ? data.byteOffset : self.keep(data, "numbers", data.length, (at) => floats.set(data, at))),
  };
  return self;
}
