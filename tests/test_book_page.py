"""Pages of the built book in a real browser, opened as files with the network blocked."""

import shutil
from pathlib import Path

import pytest
from browser import browser_or_skip

import book
import pairs

ROOT = Path(__file__).resolve().parents[1]

CHAPTER = '''# %% [markdown]
# # A small chapter
#
# It shows that $\\\\gamma_s$ is typeset.
#
# $$ f \\\\leftarrow f \\\\cdot (1 + \\\\gamma) + \\\\beta $$

# %% tags=["parameters"]
frames = 14

# %%
import numpy as np

from puppetmaster_core import Drags
from puppetmaster_core.editor import DragEditor
from puppetmaster_core.editor import Player
from puppetmaster_core.video import Video

picture = np.full((48, 64, 3), 200, np.uint8)
drags = Drags(np.linspace((0.2, 0.3), (0.8, 0.9), frames)[None])
DragEditor(picture, drags)

# %%
from PIL import Image

Image.fromarray(picture)

# %%
Player(Video(np.stack([np.full((48, 64, 3), 18 * n, np.uint8) for n in range(frames)]), drags=drags))
'''


@pytest.fixture(scope="module")
def chapter(tmp_path_factory):
    """The page of a book of one chapter."""
    browser_or_skip()
    root = tmp_path_factory.mktemp("book")
    shutil.copytree(ROOT / "book", root / "book")
    shutil.copytree(ROOT / "results", root / "results")  # pages draw numbers from it
    (root / "book" / "intro.md").write_text("# A small book\n")
    (root / "book" / "_toc.yml").write_text("format: jb-book\nroot: intro\nchapters:\n- file: notebooks/00_small\n")
    (root / "book" / "parameters.yml").write_text("")
    (root / "notebooks" / "src").mkdir(parents=True)
    (root / "notebooks" / "src" / "00_small.py").write_text(CHAPTER)
    pairs.sync(root)
    return book.build(root).parent / "notebooks" / "00_small.html"


@pytest.fixture
def opened(chapter, page):
    """The page, opened as a file; every request but for files is refused and, like every failed one, noted."""
    asked = []

    def note(request):
        if not request.url.startswith(("file:", "blob:", "data:")):
            asked.append(request.url)

    def failed(request):
        asked.append(f"failed: {request.url}")

    page.on("request", note)
    page.on("requestfailed", failed)
    page.context.set_offline(True)
    page.goto(chapter.as_uri(), wait_until="load")
    yield page, asked
    page.context.set_offline(False)
    page.remove_listener("request", note)
    page.remove_listener("requestfailed", failed)


def test_a_page_is_whole_without_a_network(opened):
    page, asked = opened
    page.locator(".pm-editor .pm-chip").wait_for()
    page.locator(".pm-player canvas").wait_for()
    page.locator("mjx-container svg").first.wait_for()
    assert page.locator("mjx-container").count() == 2 and page.locator("mjx-merror").count() == 0
    assert page.locator("script[src^=http], link[href^=http][rel=stylesheet], img[src^=http]").count() == 0
    assert asked == []


def test_figures_keep_their_clear_ground_and_their_colours_on_a_dark_page(opened):
    """Their words are grey; the theme would put white behind them and dim them."""
    page, _ = opened
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    style = page.locator(".cell_output img").evaluate("(one) => (({ backgroundColor, filter }) => [backgroundColor, filter])"
                                                      "(getComputedStyle(one))")
    assert style == ["rgba(0, 0, 0, 0)", "none"]


def test_the_editor_draws_and_the_player_plays_on_it(opened):
    page, asked = opened
    page.locator(".pm-editor .pm-chip").wait_for()
    stage = page.locator(".pm-stage")
    stage.scroll_into_view_if_needed()
    box = page.locator("image.pm-picture").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"] + 30, steps=4)
    page.mouse.up()
    page.get_by_role("button", name="drag 2,").wait_for()
    assert page.get_by_role("button", name="Generate").is_disabled()
    player = page.locator(".pm-player")
    player.get_by_role("slider").fill("10")
    grey = player.locator("canvas").evaluate("(c) => [...c.getContext('2d').getImageData(2, 2, 1, 1).data].slice(0, 3)")
    assert grey == [180, 180, 180]
    assert asked == []
