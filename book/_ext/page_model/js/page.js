// An editor of a page comes alive: the model, a script beside this one, is its kernel. packing.py makes of this what stands before
// widgets.js.

import { withPicture } from "./dropped.js";
import { withEngine } from "./kernel.js";

const beside = new URL("puppetmaster.js", document.currentScript.src);
let loading = null;
const load = () => (loading ??= new Promise((resolve, reject) => {
  document.head.append(Object.assign(document.createElement("script"), { src: beside.href, onload: () => resolve(globalThis.puppetmaster),
    onerror: () => reject(new Error("The model does not come with this page: drawing works here, generating needs the notebook.")) }));
}));

// Show the editor's module in el. given: the widget's model, which nobody answers. A picture that is dropped takes its picture's place.
globalThis.showAlive = async (editor, given, el) => {
  let [model, close] = [null, () => {}];
  async function show(next) {
    model = withEngine(next, load);
    model.on("change:live", () => { // a figure takes the place of the still pictures
      if (model.get("plain") && model.get("live").on) document.querySelectorAll(".pm-still").forEach((still) => still.remove());
    });
    close = await editor.render({ model, el });
  }
  el.addEventListener("drop", async (event) => {
    const [file] = event.dataTransfer.files;
    if (!file?.type.startsWith("image/")) return; // drags as JSON: the editor takes them
    event.preventDefault();
    event.stopPropagation();
    try {
      const next = await withPicture(given, file);
      close();
      model.destroy();
      el.replaceChildren();
      await show(next);
    } catch (error) { model.set("progress", { state: "failed", message: error.message }); }
  }, true);
  await show(given);
};
