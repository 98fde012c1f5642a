// Widgets on a page without a kernel: read the state that the notebook left and run each widget's own module on it.
for (const script of document.querySelectorAll('script[type="application/vnd.jupyter.widget-view+json"]')) {
  const models = document.querySelector('script[type="application/vnd.jupyter.widget-state+json"]');
  const { state, buffers = [] } = JSON.parse(models.textContent).state[JSON.parse(script.textContent).model_id] ?? {};
  if (!state?._esm) continue;
  for (const { path, data } of buffers) { // bytes are kept apart, as base64
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    path.slice(0, -1).reduce((at, key) => at[key], state)[path.at(-1)] = new DataView(bytes.buffer);
  }
  const listeners = new EventTarget();
  const model = { get: (name) => state[name], save_changes() {}, off: (name, callback) => listeners.removeEventListener(name, callback),
    set(name, value) { state[name] = value; listeners.dispatchEvent(new Event(`change:${name}`)); },
    on: (name, callback) => listeners.addEventListener(name, callback) }; // without `send`: nobody listens
  const el = Object.assign(document.createElement("div"), { className: "static-widget" });
  script.after(Object.assign(document.createElement("style"), { textContent: state._css ?? "" }), el);
  const address = URL.createObjectURL(new Blob([state._esm], { type: "text/javascript" }));
  const alive = globalThis.showAlive && state._anywidget_id?.endsWith(".DragEditor"); // where the page has the model
  import(address).then(({ default: widget }) => (alive ? globalThis.showAlive(widget, model, el) : widget.render({ model, el })));
}
