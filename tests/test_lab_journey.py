"""One journey in a real JupyterLab with a kernel: draw two drags, undo, redo, generate with `tiny`, read the frames back."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

import nbformat
import pytest
from browser import browser, browser_or_skip

from pairs import KERNEL

CELLS = [
    "from PIL import Image\n"
    "from puppetmaster_core.editor import DragEditor\n"
    "editor = DragEditor(Image.new('RGB', (64, 64), 'teal'), live=False)\n"
    "editor",
    "while not editor.takes: editor.wait(1)\n"
    "take = editor.takes[-1]\n"
    "frames = take.video.frames\n"
    "print('read back', len(editor.drags), len(take.drags), take.seed, take.quality, frames.shape, frames.dtype)",
]

# A draft of few steps may be done before a look from outside: the page itself notes that its bar was to be seen.
WATCH_PROGRESS = """() => {
  const look = () => { window.progressSeen ||= document.querySelector('.pm-ask progress').checkVisibility(); };
  new MutationObserver(look).observe(document.querySelector('.pm-ask'), { subtree: true, attributes: true, childList: true });
}"""


@contextmanager
def serve(home, sources):
    """The address of a JupyterLab of its own, with a notebook of these cells in it."""
    cells = [nbformat.v4.new_code_cell(cell) for cell in sources]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL})
    nbformat.write(notebook, home / "journey.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {name: str(home / name.lower()) for name in (
        "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")}
    options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0",
               "--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True", f"--ServerApp.root_dir={home}",
               "--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    with open(home / "log", "w") as log:
        server = subprocess.Popen([sys.executable, "-m", "jupyterlab", *options], stdout=log, stderr=log,
                                  env=os.environ | own | {"HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE"})
    try:
        address, patience = f"http://127.0.0.1:{port}", time.monotonic() + 90
        while True:
            try:
                urllib.request.urlopen(f"{address}/api", timeout=5).close()
                break
            except OSError:
                assert server.poll() is None and time.monotonic() < patience, (home / "log").read_text()
        yield f"{address}/lab/tree/journey.ipynb"
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    browser_or_skip()
    with serve(tmp_path_factory.mktemp("lab"), CELLS) as address:
        yield address


@pytest.fixture
def tab(lab):
    with browser() as started:
        page = started.new_page(viewport={"width": 1280, "height": 1100}, reduced_motion="reduce")
        page.set_default_timeout(90_000)
        yield page


def run_cell(page, n):
    """Run the n-th cell; JupyterLab may still be busy with itself and not hear the key."""
    cell = page.locator(".jp-CodeCell").nth(n)
    for patience in (10_000, 20_000, 60_000):
        cell.locator(".cm-content").click()
        page.keyboard.press("Shift+Enter")
        try:
            cell.locator(".jp-InputPrompt").filter(has_not_text="[ ]:").wait_for(timeout=patience)
            return
        except Exception as error:
            last = error
    raise last


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_draw_undo_redo_generate_and_read_back(lab, page):
    page.goto(lab)
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
    run_cell(page, 0)
    page.locator(".pm-stage").wait_for()
    box = page.locator("image.pm-picture").bounding_box()

    def draw(start, end):
        page.mouse.move(box["x"] + start[0] * box["width"], box["y"] + start[1] * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + end[0] * box["width"], box["y"] + end[1] * box["height"], steps=5)
        page.mouse.up()

    chips, cells = page.locator(".pm-chip"), page.locator(".jp-Notebook .jp-Cell")
    count = cells.count()
    draw((0.2, 0.3), (0.6, 0.4))
    draw((0.3, 0.8), (0.8, 0.7))
    page.locator(".pm-chip").nth(1).wait_for()
    page.keyboard.press("Control+z")
    chips.nth(1).wait_for(state="detached")
    page.keyboard.press("Control+Shift+z")
    chips.nth(1).wait_for()
    for key in ("d", "d", "a", "b", "x"):  # would delete, add and cut cells if the notebook heard them
        page.keyboard.press(key)
    assert cells.count() == count

    page.get_by_label("seed", exact=True).fill("5")
    page.evaluate(WATCH_PROGRESS)
    page.get_by_role("button", name="Generate").click()
    page.wait_for_function("window.progressSeen")
    run_cell(page, 1)  # while the video is in the making
    said = page.locator(".jp-OutputArea-output pre").filter(has_text="read back")
    said.wait_for()
    assert said.inner_text().strip() == "read back 2 2 5 draft (14, 64, 64, 3) uint8"
    page.locator(".pm-film").wait_for()
    assert "seed 5" in page.locator(".pm-editor figcaption").inner_text()
