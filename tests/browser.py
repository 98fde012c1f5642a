"""A browser for the tests: Debian's chromium through playwright, and a bare page on which a widget's module runs.

Without a browser such tests are skipped; with REQUIRE_BROWSER set, as .ci/run sets it, they fail instead.
"""

import base64
import os
import shutil
from contextlib import contextmanager

import pytest

CHROMIUM = shutil.which(os.environ.get("CHROMIUM", "chromium"))  # CHROMIUM names another one

# What anywidget gives a module, and no more; `sent` and `saved` are for the test to read.
FAKE_MODEL = """
window.makeModel = (state, live = true) => {
  const bytes = (value) => Array.isArray(value) ? value.map(bytes) : value?.base64 !== undefined
    ? new DataView(Uint8Array.from(atob(value.base64), (c) => c.charCodeAt(0)).buffer)
    : value && typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, bytes(v)])) : value;
  const values = bytes(state), heard = new Map();
  const model = {
    sent: [], saved: [], get: (name) => values[name],
    set(name, value) {
      const next = bytes(value);
      if (JSON.stringify(next) === JSON.stringify(values[name]) && !(next instanceof DataView)) return;
      values[name] = next;
      for (const call of [...(heard.get(`change:${name}`) ?? [])]) call();
    },
    on: (name, call) => heard.set(name, [...(heard.get(name) ?? []), call]),
    off: (name, call) => heard.set(name, (heard.get(name) ?? []).filter((one) => one !== call)),
    save_changes() { model.saved.push(JSON.parse(JSON.stringify(values.record ?? null))); },
  };
  if (live) model.send = (message) => { if (message.kind !== "ready") model.sent.push(message); };
  return model;
};
window.show = async (text, css, state, live) => {
  document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
  const { default: widget } = await import(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
  window.model = makeModel(state, live);
  const el = document.querySelector("#widget");
  if (window.showAlive) await window.showAlive(widget, window.model, el); // as widgets.js does
  else window.hide = await widget.render({ model: window.model, el });
};
"""


def browser_or_skip():
    """The path of the browser; otherwise the test is skipped, or fails where browsers are required."""
    try:
        import playwright  # noqa: F401
    except ImportError:
        missing = "playwright is not installed"
    else:
        missing = "" if CHROMIUM else "no chromium: apt-get install chromium"
    if missing and os.environ.get("REQUIRE_BROWSER"):
        pytest.fail(f"{missing}, and REQUIRE_BROWSER is set")
    if missing:
        pytest.skip(missing)
    return CHROMIUM


@contextmanager
def browser():
    path = browser_or_skip()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        try:
            yield started
        finally:
            started.close()


def packed(value):
    """Widget state for JSON: bytes become {"base64": …}."""
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {key: packed(item) for key, item in value.items()}
    return [packed(item) for item in value] if isinstance(value, list | tuple) else value


def state_of(widget) -> dict:
    return {name: packed(getattr(widget, name)) for name in widget.trait_names(sync=True) if not name.startswith("_")
            and name not in ("layout", "comm", "keys", "tabbable", "tooltip")}


def show(page, widget, *, live=True, style="width: 760px", html="", bare=True):
    """The widget's module on a bare page, or the one that is open, with a fake model of the widget's state."""
    if bare:
        page.set_content(f'<!doctype html><html lang="en"><title>test</title><body style="margin:20px;{html}">'
                         f'<div id="widget" style="{style}"></div></body>')
    page.add_script_tag(content=FAKE_MODEL)
    given = [widget._esm, widget._css, state_of(widget), live]
    page.evaluate("([text, css, state, live]) => show(text, css, state, live)", given)
