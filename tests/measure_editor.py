"""How fast the drag editor is: python tests/measure_editor.py. It asserts nothing.

Frames a second while a hand draws on a 512² picture with 5 drags, and the seconds from press to a moving preview.
"""

import json
import sys
import time

import numpy as np
from browser import browser, packed, show
from PIL import Image

from puppetmaster_core.drags import Drags
from puppetmaster_core.editor import DragEditor

# A hand that moves in every frame of the screen; what counts is how long frames are and how long our own work takes.
HAND = """async () => {
  const stage = document.querySelector('.pm-stage'), box = document.querySelector('image.pm-picture').getBoundingClientRect();
  const send = (kind, x, y) => stage.dispatchEvent(new PointerEvent(kind, { pointerId: 1, button: 0, buttons: 1, bubbles: true,
    clientX: box.left + x * box.width, clientY: box.top + y * box.height, pointerType: 'mouse' }));
  const frame = () => new Promise(requestAnimationFrame);
  const lengths = [], works = [];
  let last = await frame();
  send('pointerdown', 0.5, 0.5);
  for (let i = 0; i < 240; i++) {
    const begin = performance.now();
    send('pointermove', 0.5 + 0.3 * Math.cos(i / 20), 0.5 + 0.3 * Math.sin(i / 14));
    works.push(performance.now() - begin);
    const now = await frame();
    lengths.push(now - last);
    last = now;
  }
  send('pointerup', 0.5, 0.5);
  return [lengths.slice(10), works.slice(10)];
}"""


def frames_a_second() -> dict:
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (512, 512, 3), dtype=np.uint8))
    result = {}
    with browser() as started:
        page = started.new_page(viewport={"width": 1100, "height": 900})
        for what, count in (("drawing a fifth drag", 4), ("moving one of five drags", 5)):
            paths = np.cumsum(rng.normal(0, 0.05, (count, 14, 2)), axis=1) + rng.uniform(0.2, 0.45, (count, 1, 2))
            if count == 5:
                paths[0] += 0.5 - paths[0, 0]  # its origin is where the hand presses
            page.goto("about:blank")
            show(page, DragEditor(picture, Drags(paths)), style="width: 1000px")
            lengths, works = map(np.array, page.evaluate(HAND))
            result[what] = {"frames a second": round(1000 / lengths.mean(), 1), "longest frame, ms": round(lengths.max(), 1),
                            "frames over 17 ms": f"{(lengths > 17.5).mean():.1%}", "event handler, ms": round(works.mean(), 2)}
    return result


def first_preview(pipeline) -> dict:
    """From the first press to the first moving preview. A model given by name is imported and loaded while the hand draws."""
    editor = DragEditor(Image.new("RGB", (256, 256), "teal"), pipeline=pipeline)
    result = {}
    with browser() as started:
        page = started.new_page(viewport={"width": 1100, "height": 900})
        show(page, editor, style="width: 1000px")
        editor._heard(None, {"kind": "ready"}, [])
        page.get_by_label("follow my hand").check()
        for attempt in ("first preview, s", "next preview, s"):
            box = page.locator("image.pm-picture").bounding_box()
            begin, before = time.perf_counter(), len(editor.takes)
            page.mouse.move(box["x"] + 60, box["y"] + 60 + 60 * before)
            page.mouse.down()
            page.mouse.move(box["x"] + 200, box["y"] + 80 + 60 * before, steps=10)
            page.mouse.up()
            asked = page.evaluate("model.sent.at(-1)")
            editor._heard(None, asked, [])
            editor.wait()
            page.evaluate("(takes) => model.set('shown_takes', takes)", packed(editor.shown_takes))
            page.wait_for_function("!document.querySelector('.pm-count').textContent.startsWith('1 ')")
            result[attempt] = round(time.perf_counter() - begin, 2)
            result[attempt.replace("preview, s", "generated in, s")] = round(editor.takes[-1].seconds, 2)
    return result


if __name__ == "__main__":
    drawing, fresh = frames_a_second(), first_preview("tiny")
    from puppetmaster_core import PuppetMasterPipeline

    loaded = first_preview(PuppetMasterPipeline.from_pretrained("tiny"))
    json.dump({"drawing": drawing, "nothing loaded": fresh, "pipeline loaded": loaded}, sys.stdout, indent=1)
    print()
