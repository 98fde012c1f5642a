// The model, for editors that ask: a script beside this one. binding.py puts these lines before widgets.js where it brings one.
const beside = new URL("puppetmaster.js", document.currentScript.src);
let loading = null;
globalThis.loadPuppetmaster = () => (loading ??= new Promise((resolve, reject) => {
  document.head.append(Object.assign(document.createElement("script"), { src: beside.href, onload: () => resolve(globalThis.puppetmaster),
    onerror: () => reject(new Error("The model does not come with this page: drawing works here, generating needs the notebook.")) }));
}));
