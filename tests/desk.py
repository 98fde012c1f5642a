"""An editor on a bare page, and a hand for it."""

import numpy as np
from browser import show
from PIL import Image

from puppetmaster_core.drags import Drags, resample_path
from puppetmaster_core.editor import DragEditor

W, H = 256, 192  # of the picture


def picture() -> Image.Image:
    y, x = np.mgrid[:H, :W]
    return Image.fromarray(np.stack([x, y, 128 + 0 * x], -1).astype(np.uint8))


def drag(*path) -> Drags:
    """One drag through these pixels, evenly."""
    return Drags.from_pixels(resample_path(np.array(path, float), 14)[None], (W, H))


class Desk:
    """An editor on the page, and a hand."""

    def __init__(self, page, live=True, style="width: 760px", html="", drags=None, presets=None, bare=True):
        self.page = page
        self.widget = DragEditor(picture(), drags, presets=presets)
        show(page, self.widget, live=live, style=style, html=html, bare=bare)
        self.stage = page.locator(".pm-stage")

    def at(self, x, y):
        """Where on the screen these pixels of the picture are, by the browser's own account of the picture element."""
        box = self.page.locator("image.pm-picture").bounding_box()
        return box["x"] + x / W * box["width"], box["y"] + y / H * box["height"]

    def press(self, *path, steps=8, up=True):
        self.page.mouse.move(*self.at(*path[0]))
        self.page.mouse.down()
        for place in path[1:]:
            self.page.mouse.move(*self.at(*place), steps=steps)
        if up:
            self.page.mouse.up()

    def click(self, x, y):
        self.press((x, y))

    def tool(self, name):
        self.page.get_by_role("radio", name=name).click()

    def button(self, name):
        return self.page.get_by_role("button", name=name)

    def record(self):
        return self.page.evaluate("model.get('record')")

    def drawn(self):
        return [one["drawn"]["path"] for one in self.record()["drags"]]

    def points(self):
        """(K, N, 2) in pixels, through the same door as Python's."""
        return Drags.from_json(self.record()).pixels((W, H))

    def status(self):
        return self.page.locator(".pm-status").inner_text()

    def settle(self):
        """Wait until what was done is painted."""
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def keys(self, *names):
        self.stage.focus()
        for name in names:
            self.page.keyboard.press(name)
