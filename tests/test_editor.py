"""The drag editor's Python: drags in and out, takes, and what happens when the page asks for one."""

import threading

import numpy as np
import pytest
from PIL import Image

from puppetmaster_core.checkpoints import ModelError
from puppetmaster_core.drags import DragError, Drags
from puppetmaster_core.editor import DragEditor
from puppetmaster_core.editor.bundle import BundleError, script
from puppetmaster_core.editor.film import png, sprite_sheet
from puppetmaster_core.pictures import PictureError
from puppetmaster_core.pipeline import PuppetMasterPipeline
from puppetmaster_core.presets import QUALITIES
from puppetmaster_core.video import Video

PICTURE = Image.fromarray(np.arange(30 * 40 * 3, dtype=np.uint8).reshape(30, 40, 3))
DRAGS = Drags(np.linspace((0.2, 0.3), (0.8, 0.9), 14)[None])


class FakePipeline:
    """Stands in for a pipeline: three steps, each of which waits to be let go."""

    def __init__(self):
        self.steps, self.asked = threading.Semaphore(0), []

    def __call__(self, image, drags, *, seed, callback_on_step_end, **settings):
        self.asked.append((image.size, drags, seed, settings))
        for step in range(3):
            assert self.steps.acquire(timeout=20)
            callback_on_step_end(self, step, 0, {})
        return Video(np.full((14, 30, 40, 3), seed, np.uint8), drags=drags)


def ask(editor, **changes):
    """What the page sends when one presses Generate."""
    editor._heard(None, {"kind": "generate", "seed": 3, "quality": "draft", "record": editor.record} | changes, [])


def test_drags_go_in_and_out_exactly():
    editor = DragEditor(PICTURE, DRAGS)
    np.testing.assert_array_equal(editor.drags.points, DRAGS.points)
    other = Drags(1 - DRAGS.points)
    editor.drags = other
    np.testing.assert_array_equal(editor.drags.points, other.points)
    editor.drags = None
    with pytest.raises(DragError, match="got no drags, expected at least one: draw one"):
        _ = editor.drags


def test_bad_input_is_refused_before_anything_is_shown():
    with pytest.raises(PictureError):
        DragEditor("no-such-picture.png")
    with pytest.raises(ModelError, match="no model 'tnyi'"):
        DragEditor(PICTURE, pipeline="tnyi")
    with pytest.raises(DragError, match="got list, expected Drags"):
        DragEditor(PICTURE, [[1, 2], [3, 4]])


@pytest.mark.parametrize("size", [(40, 30), (17, 64), (64, 64)])
def test_the_page_knows_of_tiny_what_its_network_does(size):
    """From the model's small files alone; compared with the loaded model."""
    editor, pipeline = DragEditor(PICTURE.resize(size)), PuppetMasterPipeline.from_pretrained("tiny")
    seen = pipeline.unet.condition(*(t[None] for t in DRAGS.tensors(5)), (8, 8)).maps
    grids = sorted({tuple(scale.shape[-2:]) for scale, _ in filter(None, seen)}, reverse=True)
    assert [tuple(level) for level in editor.levels] == grids
    assert (editor.frames, editor.max_drags) == (pipeline.config.frames, pipeline.unet.config.max_drags)
    assert editor.qualities == list(pipeline.config.qualities or QUALITIES)
    place = editor.placement
    longer = "height" if size[1] > size[0] else "width"  # it fills the square, in the middle of which the other one lies
    assert place[longer] == 1 and abs(2 * place["left"] + place["width"] - 1) <= 1 / 64


def test_a_take_is_made_beside_the_cells_and_can_be_read():
    pipeline = FakePipeline()
    editor = DragEditor(PICTURE, DRAGS, pipeline=pipeline)
    states = []
    editor.observe(lambda change: states.append(change["new"]), "progress")
    ask(editor)
    ask(editor)  # while one is in the making, a second one is not begun
    assert editor.takes == []  # the cell goes on meanwhile
    pipeline.steps.release(3)
    editor.wait(20)
    (take,) = editor.takes
    assert (take.seed, take.quality, take.video.frames.shape) == (3, "draft", (14, 30, 40, 3))
    ((size, drags, seed, settings),) = pipeline.asked
    assert (size, seed, settings) == ((40, 30), 3, {"quality": "draft"})
    np.testing.assert_array_equal(drags.points, DRAGS.points)
    assert [state.get("step") for state in states if state["state"] == "drawing"][-4:] == [0, 1, 2, 3]
    assert states[-1] == {"state": "idle"} and [shown["id"] for shown in editor.shown_takes] == [1]


def test_stopping_leaves_no_take_and_the_next_one_works():
    pipeline = FakePipeline()
    editor = DragEditor(PICTURE, DRAGS, pipeline=pipeline)
    ask(editor)
    editor._heard(None, {"kind": "stop"}, [])
    pipeline.steps.release(3)
    editor.wait(20)
    assert editor.takes == [] and editor.progress == {"state": "idle"}
    pipeline.steps.release(3)
    ask(editor, seed=4)
    editor.wait(20)
    assert [take.seed for take in editor.takes] == [4]


def test_what_goes_wrong_is_told_on_the_page():
    editor = DragEditor(PICTURE, pipeline=FakePipeline())
    ask(editor)
    editor.wait(20)
    assert editor.progress == {"state": "failed", "message": "got no drags, expected at least one: draw one"}
    with pytest.raises(DragError):
        editor.generate()


def test_the_page_keeps_the_last_takes_and_python_all():
    pipeline = FakePipeline()
    pipeline.steps.release(3 * 15)
    editor = DragEditor(PICTURE, DRAGS, pipeline=pipeline)
    for seed in range(15):
        editor.generate(seed=seed)
    assert [take.seed for take in editor.takes] == list(range(15))
    assert [shown["seed"] for shown in editor.shown_takes] == list(range(3, 15))


def test_tiny_generates_from_a_cell():
    editor = DragEditor(PICTURE, DRAGS)
    take = editor.generate(seed=1, steps=1)
    assert take.video.frames.shape == (14, 48, 64, 3) and take.seconds > 0
    assert np.array_equal(take.video.frames, editor.generate(seed=1, steps=1).video.frames)


# ---- films -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(14, 64, 64, 3), (1, 5, 7, 3), (5, 9, 30, 3), (14, 40, 20, 3)])
def test_a_film_of_small_frames_is_exact(shape):
    import io

    frames = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    made = sprite_sheet(frames)
    sheet = np.asarray(Image.open(io.BytesIO(made["strip"])).convert("RGB"))
    h, w, columns = made["height"], made["width"], made["columns"]
    for n, frame in enumerate(frames):
        y, x = n // columns * h, n % columns * w
        np.testing.assert_array_equal(sheet[y : y + h, x : x + w], frame)


def test_large_pictures_travel_small():
    import io

    assert Image.open(io.BytesIO(png(Image.new("L", (4000, 1000))))).size == (1024, 256)
    assert DragEditor(Image.new("RGB", (4000, 1000))).image_size == [4000, 1000]


# ---- the modules -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["editor", "player"])
def test_a_widget_is_one_module_that_asks_for_nothing(name):
    text = script(name)
    assert "import " not in text and text.count("export ") == 1 and "export default { render };" in text
    assert "http" not in text.replace("http://www.w3.org", "")


def test_two_modules_with_one_name_in_common_are_refused(tmp_path):
    (tmp_path / "a.js").write_text('import { b } from "./b.js";\nconst here = 1;\nexport default { here, b };\n')
    (tmp_path / "b.js").write_text("const here = 2;\nexport const b = here;\n")
    with pytest.raises(BundleError, match=r"here is defined in b\.js and a\.js"):
        script("a", tmp_path)
