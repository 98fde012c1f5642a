"""How fast the drag editor is, in a real browser: python tests/measure_editor.py [page] [lab]. It asserts nothing.

page: of the book, from a file, where the model runs in the browser. lab: JupyterLab, where it runs in the kernel. Of both: how
long from the pointer to the picture, live frames a second, frames of the screen meanwhile, and the whole video. What the machine
does beside is said along: its load, and the processor's own time.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import psutil
from browser import browser

from puppetmaster_core import PuppetMasterPipeline

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))  # as pytest does
CABINET = ROOT / "puppetmaster_core" / "examples" / "cabinet"
HANDLE = (0.443, 0.535)  # of the cabinet's drawer

# A hand that pulls a drawer. First it waits for the picture after each move, then it moves in every frame of the screen.
PULL = """async ([x, y, alone, far]) => {
  const stage = document.querySelector('.pm-stage'), picture = document.querySelector('image.pm-picture');
  const box = picture.getBoundingClientRect();
  const send = (kind, dx) => stage.dispatchEvent(new PointerEvent(kind, { pointerId: 1, button: 0, buttons: 1, bubbles: true,
    shiftKey: true, pointerType: 'mouse',
    clientX: box.left + (x - dx) * box.width, clientY: box.top + (y + dx / 3) * box.height }));
  const count = () => Number(picture.dataset.live ?? 0);
  const frame = () => new Promise(requestAnimationFrame);
  const until = async (what, come) => {
    const begun = performance.now();
    for (let patient = true; patient && !come(); patient = performance.now() - begun < 30000) {
      await Promise.race([frame(), new Promise((go) => setTimeout(go, 100))]); // a page that is not shown has no frames
    }
    const said = (of) => document.querySelector(of)?.textContent ?? '';
    if (!come()) throw new Error(`waited 30 s for ${what}; the page says: ${said('.pm-status')} ${said('.pm-said')}`);
  };
  const answers = [], lengths = [];
  send('pointerdown', 0);
  for (let i = 0; i < alone; i++) {
    const [begun, before] = [performance.now(), count()];
    send('pointermove', 0.03 + 0.005 * (i % 20));
    await until(`live picture ${i + 1} of ${alone}`, () => count() !== before);
    answers.push(performance.now() - begun);
  }
  const [begun, before] = [performance.now(), count()];
  let last = await frame();
  for (let i = 0; performance.now() - begun < 3000; i++) {
    send('pointermove', 0.08 + 0.05 * Math.sin(i / 20));
    const now = await frame();
    lengths.push(now - last);
    last = now;
  }
  const rate = (count() - before) / ((performance.now() - begun) / 1000);
  const films = () => document.querySelector('.pm-film')?.dataset.id;
  const [let_go, old] = [performance.now(), films()];
  send('pointerup', far);
  await until('the video', () => films() !== old);
  const middle = (all) => all.sort((a, b) => a - b)[all.length >> 1];
  return { 'pointer to picture, ms, median': middle(answers), 'the best': answers[0], 'live frames a second': rate,
    'frames of the screen a second meanwhile': 1000 / middle(lengths), 'whole video, s': (performance.now() - let_go) / 1000 };
}"""
ALONE = 12


def browsers_seconds() -> float:
    """Of the processor, by all processes that this one has begun."""
    times = [process.cpu_times() for process in psutil.Process().children(recursive=True)]
    return sum(one.user + one.system for one in times)


def pulled(page) -> dict:
    follows, off = (page.locator(of) for of in ("input[aria-label='follow my hand']:checked", ".pm-status:text(' off: ')"))
    follows.or_(off).wait_for(state="attached")
    if off.count():
        sys.exit(off.text_content())
    page.locator(".pm-stage").scroll_into_view_if_needed()
    page.evaluate(PULL, [*HANDLE, 1, 0.12])  # warm; elsewhere: of the same drag no second video is made
    before = browsers_seconds()
    found = page.evaluate(PULL, [*HANDLE, ALONE, 0.1])
    found["processor's seconds for all that"] = browsers_seconds() - before
    return {name: round(value, 2) for name, value in found.items()}


def in_a_page() -> dict:
    import binding
    import page_model

    with tempfile.TemporaryDirectory() as folder, browser() as started:
        folder, asked = Path(folder), []
        page_model.write_script(PuppetMasterPipeline.from_pretrained("tiny"), folder / "puppetmaster.js")
        _, *figure, _ = binding.alive(ROOT, f"{CABINET}.png {CABINET}.json").replace("_static/", "").split("\n")
        head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>t</title><body>'
        (folder / "page.html").write_text("\n".join([head, *figure]))
        widgets = (ROOT / "book" / "scripts" / "widgets.js").read_text()
        (folder / "widgets.js").write_text(page_model.page_script() + widgets)
        page = started.new_page(viewport={"width": 1100, "height": 1000})
        page.set_default_timeout(200_000)
        page.on("request", lambda request: asked.append(request.url))
        begin = time.perf_counter()
        page.goto((folder / "page.html").as_uri())
        page.locator(".pm-stage").wait_for()
        alive = time.perf_counter() - begin
        page.locator(".pm-film").wait_for(state="attached")
        outside = sum(not url.startswith(("file:", "blob:", "data:")) for url in asked)
        size = sum(one.stat().st_size for one in folder.iterdir()) / 1e6
        own = {"ready after opening, s": round(alive, 2), "megabytes": round(size, 1), "requests outside": outside}
        return own | pulled(page)


def in_lab() -> dict:
    from test_lab_journey import run_cell, serve

    cell = f"from puppetmaster_core.editor import DragEditor\neditor = DragEditor({str(CABINET) + '.png'!r})\neditor"
    with tempfile.TemporaryDirectory() as home, serve(Path(home), [cell]) as address, browser() as started:
        page = started.new_page(viewport={"width": 1280, "height": 1100})
        page.set_default_timeout(200_000)
        page.goto(address)
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
        run_cell(page, 0)
        return pulled(page)


if __name__ == "__main__":
    wanted = sys.argv[1:] or ["page", "lab"]
    for name, measure in (("page", in_a_page), ("lab", in_lab)):
        if name in wanted:
            print(json.dumps({name: measure(), "load": os.getloadavg()[0]}, indent=1), flush=True)
