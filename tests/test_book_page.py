"""Pages of the built book in a real browser, opened as files with the network blocked."""

import shutil
from pathlib import Path

import pytest

import binding
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
DragEditor("CABINET")

# %%
from PIL import Image

Image.fromarray(picture)

# %%
grey = [np.full((48, 64, 3), 18 * n, np.uint8) for n in range(frames)]
Player(Video(np.stack(grey), drags=drags))

# %%
from IPython.display import Markdown

Markdown("| arm | way |\\n| --- | --: |\\n| D | 54 |")

# %%
WIDE
'''.replace("CABINET", str(ROOT / "puppetmaster_core/examples/cabinet.png")).replace(
    "WIDE", f"wide = '{'x' * (pairs.COLUMNS - 9)}'")

FIGURE = f"""# A small book

```{{alive}} {ROOT}/puppetmaster_core/examples/cabinet.png {ROOT}/puppetmaster_core/examples/cabinet.json
```
"""


@pytest.fixture(scope="module")
def chapter(tmp_path_factory):
    """The page of a book of one chapter."""
    root = tmp_path_factory.mktemp("book")
    shutil.copytree(ROOT / "book", root / "book")
    shutil.copytree(ROOT / "results", root / "results")  # pages draw numbers from it
    (root / "book" / "intro.md").write_text(FIGURE)
    (root / "book" / "_toc.yml").write_text("format: jb-book\nroot: intro\nchapters:\n- file: notebooks/00_small\n")
    (root / "book" / "parameters.yml").write_text("")
    (root / "notebooks" / "src").mkdir(parents=True)
    (root / "notebooks" / "src" / "00_small.py").write_text(CHAPTER)
    pairs.sync(root)
    return book.build(root).parent / "notebooks" / "00_small.html"


def test_the_book_needs_no_network_and_has_its_parameters(chapter):
    html = chapter.parents[1]
    assert binding.network_requests(html) == []
    page = chapter.read_text()
    assert (html / "_static" / "tex-svg-full.js").exists() and 'src="../_static/tex-svg-full.js' in page
    assert "github" not in page, "a book of no repository has no links to one"


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
    page.locator(".pm-editor").wait_for()
    page.locator(".pm-player canvas").wait_for()
    page.locator("mjx-container svg").first.wait_for()
    assert page.locator("mjx-container").count() == 2 and page.locator("mjx-merror").count() == 0
    assert page.locator("script[src^=http], link[href^=http][rel=stylesheet], img[src^=http]").count() == 0
    assert asked == []


def test_a_line_of_code_and_a_table_in_markdown_are_shown_whole(opened):
    page, _ = opened
    page.set_viewport_size({"width": 1300, "height": 900})
    cut = page.locator(".cell pre").evaluate_all("(all) => all.filter((one) => one.scrollWidth > one.clientWidth).length")
    assert cut == 0
    assert page.locator(".cell_output table td").all_inner_texts() == ["D", "54"]


def test_figures_keep_their_clear_ground_and_their_colours_on_a_dark_page(opened):
    """Their words are grey; the theme would put white behind them and dim them."""
    page, _ = opened
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    style = page.locator(".cell_output img").evaluate("(one) => (({ backgroundColor, filter }) => [backgroundColor, filter])"
                                                      "(getComputedStyle(one))")
    assert style == ["rgba(0, 0, 0, 0)", "none"]


def test_the_player_plays_on_it(opened):
    page, asked = opened
    player = page.locator(".pm-player")
    player.get_by_role("slider").fill("10")
    grey = player.locator("canvas").evaluate("(c) => [...c.getContext('2d').getImageData(2, 2, 1, 1).data].slice(0, 3)")
    assert grey == [180, 180, 180]
    assert asked == []


# ---- the model in the page -------------------------------------------------------------------------------------------

HANDLE, PULL = (0.443, 0.535), (-0.14, 0.06)  # of the cabinet's drawer, in picture widths, and which way it opens

# Where the handle is, the only thing that is pink, in shares of the picture that the stage shows.
PINK = """async () => {
  const picture = new Image();
  picture.src = document.querySelector('image.pm-picture').getAttribute('href');
  await picture.decode();
  const [w, h] = [picture.width, picture.height];
  const canvas = Object.assign(document.createElement('canvas'), { width: w, height: h }).getContext('2d');
  canvas.drawImage(picture, 0, 0);
  const { data } = canvas.getImageData(0, 0, w, h);
  let [x, y, count] = [0, 0, 0];
  for (let p = 0; p < w * h; p++) if (data[4 * p] - data[4 * p + 1] > 40) { x += p % w; y += Math.floor(p / w); count++; }
  return [x / count / w, y / count / h];
}"""


def pull(page, share=1.0):
    """Press on the handle and pull, without letting go."""
    box = page.locator("image.pm-picture").bounding_box()
    begin, end = ([box["x"] + x * box["width"], box["y"] + y * box["height"]] for x, y in (
        HANDLE, (HANDLE[0] + share * PULL[0], HANDLE[1] + share * PULL[1])))
    page.mouse.move(*begin)
    page.mouse.down()
    page.mouse.move(*end, steps=6)


def ready(page):
    """Wait until the page's model can answer."""
    page.set_default_timeout(120_000)  # beside other work the model needs longer to start
    page.locator("input[aria-label='follow my hand']:checked").wait_for()


def moves_along(page):
    """The handle is where it is pulled to while the hand holds it, and back afterwards."""
    x0, y0 = page.evaluate(PINK)
    pull(page)
    page.wait_for_function("Number(document.querySelector('image.pm-picture').dataset.live) > 1")
    x, y = page.evaluate(PINK)
    assert x - x0 < PULL[0] / 3 and y - y0 > -0.01
    page.mouse.up()
    page.wait_for_function("document.querySelector('.pm-film')?.dataset.id === '1'")


@pytest.mark.slow
def test_the_drawer_opens_under_the_hand_without_a_kernel(opened, chapter):
    page, asked = opened
    page.locator(".pm-stage").scroll_into_view_if_needed()
    ready(page)
    moves_along(page)
    page.get_by_role("button", name="Suggest drags").or_(page.get_by_role("button", name="Show which parts")).click()
    page.get_by_role("button", name="drag part 1").click()
    page.locator(".pm-chip").nth(1).wait_for()  # the list is drawn with the next picture of the screen
    assert page.locator(".pm-chip").count() == 2
    with page.expect_download() as download:
        page.get_by_role("button", name="save mask 1").click()
    assert download.value.suggested_filename == "part-1.png"
    assert asked == []
    whole = sum(path.stat().st_size for path in (chapter, chapter.parents[1] / "_static" / "puppetmaster.js"))
    assert whole <= 20e6


@pytest.mark.slow
def test_a_picture_is_dropped_and_one_too_large_is_refused_in_a_word(opened):
    page, _ = opened
    drop = """async ([width, height]) => {
      const canvas = Object.assign(document.createElement('canvas'), { width, height });
      canvas.getContext('2d').fillRect(0, 0, 9, 9);
      const file = new File([await new Promise((done) => canvas.toBlob(done))], 'mine.png', { type: 'image/png' });
      const given = new DataTransfer();
      given.items.add(file);
      const told = { dataTransfer: given, bubbles: true, cancelable: true };
      document.querySelector('.pm-editor').dispatchEvent(new DragEvent('drop', told));
    }"""
    before = page.locator("image.pm-picture").get_attribute("href")
    page.evaluate(drop, [5000, 10])
    page.locator(".pm-status").filter(has_text="mine.png has 5000 × 10 pixels, at most 4096 a side can be taken").wait_for()
    assert page.locator("image.pm-picture").get_attribute("href") == before
    page.evaluate(drop, [60, 40])
    page.wait_for_function("document.querySelector('image.pm-picture').getAttribute('width') === '60'")
    ready(page)


@pytest.mark.slow
def test_the_figure_of_the_title_page_is_alive(chapter, page):
    page.set_default_timeout(120_000)
    page.goto((chapter.parents[1] / "intro.html").as_uri())
    page.locator(".pm-plain .pm-stage").wait_for()
    page.locator(".pm-film[data-id='1']").wait_for(state="attached")  # of the drag that is there
    pull(page)
    page.wait_for_function("Number(document.querySelector('image.pm-picture').dataset.live) > 0")
    page.mouse.up()
    page.locator(".pm-film[data-id='2']").wait_for(state="attached")
