"""The model in a page: what the browser computes is what PyTorch does, from a file and without a network."""

import base64

import numpy as np
import pytest
import torch
from desk import Desk, drag
from PIL import Image

import page_model
from page_model.packing import JS
from page_model.tape import TapeError, record
from puppetmaster_core import PuppetMasterPipeline
from puppetmaster_core.diffusion import draw_noise
from puppetmaster_core.drags import Drags
from puppetmaster_core.editor.bundle import script
from puppetmaster_core.latents.field import CHANNELS, GRID
from puppetmaster_core.pipeline import build
from puppetmaster_core.presets import SMOKE

SIDE = 128  # pixels a side of the picture: one octave above what the network sees
DRAGS = Drags(np.stack([np.linspace((0.3, 0.4), (0.5, 0.7), 14), np.linspace((0.8, 0.2), (0.7, 0.3), 14)]).astype(np.float32))

RUN = """async ([engine, pixels, side, drags, noise]) => {
  const { makeEngine } = await import(URL.createObjectURL(new Blob([engine], { type: 'text/javascript' })));
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const weights = new Blob([bytes(puppetmaster.bytes)]).stream().pipeThrough(new DecompressionStream('deflate'));
  const engine_ = makeEngine(puppetmaster, await new Response(weights).arrayBuffer());
  engine_.open(new Uint8ClampedArray(bytes(pixels).buffer), side);
  const given = { noise: new Float32Array(bytes(noise).buffer) };
  const { latents, fields } = engine_.motionOf(drags, given);
  const frames = [...engine_.frames(drags, given)];
  return { latents: [...latents.data], fields: [...fields.data], frames: frames.map((frame) => [...frame]) };
}"""


@pytest.fixture(scope="module")
def pipeline():
    made = PuppetMasterPipeline.from_pretrained("tiny")
    made.set_progress_bar_config(disable=True)
    return made


@pytest.fixture(scope="module")
def picture():
    y, x = np.mgrid[:SIDE, :SIDE]
    return Image.fromarray(np.stack([2 * x, 2 * y, 255 * ((x // 16 + y // 16) % 2)], -1).astype(np.uint8))


def opened(page, folder, name):
    """A page of one script, from a file, with room for a widget; what it asks for."""
    (folder / "page.html").write_text('<!doctype html><html lang="en"><meta charset="utf-8"><title>t</title><body>'
                                      f'<div id="widget" style="width: 760px"></div><script src="{name}"></script></body>')
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((folder / "page.html").as_uri())
    return asked


def with_model(page, folder, pipeline, **kinds):
    page_model.write_script(pipeline, folder / "model.js", **kinds)
    page.set_default_timeout(120_000)  # a page of many megabytes, on a machine that may be busy
    return opened(page, folder, "model.js")


def packed(array) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


# In full precision what remains is the order of sums; int8 for the U-Net and half precision for the rest are what the book ships.
@pytest.mark.slow
@pytest.mark.parametrize(("kinds", "latents", "levels"), [({"kind": "f4", "small_kind": "f4"}, 1e-3, 2), ({}, 1e-2, 24)])
def test_the_page_computes_what_the_pipeline_does(page, tmp_path, pipeline, picture, kinds, latents, levels):
    asked = with_model(page, tmp_path, pipeline, **kinds)
    noise = draw_noise((14, CHANNELS, GRID, GRID), [torch.Generator().manual_seed(4)])[0].numpy()
    rgba = np.asarray(picture.convert("RGBA"))
    engine = script("engine", JS) + "\nexport { makeEngine };"
    found = page.evaluate(RUN, [engine, packed(rgba), SIDE, DRAGS.points.tolist(), packed(noise)])
    kept = []
    video = pipeline(picture, DRAGS, seed=4, callback_on_step_end=lambda _, i, t, x: kept.append(x["latents"]) or {})
    wanted = kept[-1][0].numpy().ravel()
    assert np.linalg.norm(np.array(found["latents"]) - wanted) < latents * np.linalg.norm(wanted)
    frames = np.array(found["frames"], np.uint8).reshape(13, SIDE, SIDE, 4)[..., :3]
    off = np.abs(frames.astype(int) - video.frames[1:].astype(int))
    assert (off <= levels).mean() > 0.999  # a pixel on the edge of two parts may be either's
    assert all(url.startswith(("file:", "blob:", "data:")) for url in asked)


def test_a_page_without_the_model_says_so_and_keeps_the_picture(page, tmp_path):
    (tmp_path / "page.js").write_text(page_model.page_script())
    opened(page, tmp_path, "page.js")
    desk = Desk(page, live=False, drags=drag((40, 60), (200, 60)), bare=False)
    page.wait_for_function("document.querySelector('.pm-status').textContent.startsWith('The model does not come')")
    desk.press((40, 100), (120, 120))
    assert len(desk.drawn()) == 2


def test_a_browser_without_simd_says_so(page):
    said = page.evaluate("""async (text) => {
      const { makeEngine } = await import(URL.createObjectURL(new Blob([text], { type: 'text/javascript' })));
      WebAssembly.validate = () => false;
      try { makeEngine({ settings: {}, tapes: {}, weights: [] }, new ArrayBuffer(0)); } catch (error) { return error.message; }
    }""", script("engine", JS) + "\nexport { makeEngine };")
    assert said.startswith("This browser has no WebAssembly with SIMD")


def test_a_model_of_picture_latents_is_refused():
    with pytest.raises(page_model.PageModelError, match="expected one of motion latents"):
        page_model.pack_model(build(SMOKE))


def test_a_tape_holds_what_depends_on_its_input_and_nothing_else():
    weight = torch.arange(6.0).view(2, 3)
    tape, (made,) = record(lambda x: [(x @ (weight + 1)).relu()], torch.ones(1, 2))
    assert [step[0] for step in tape.steps] == ["mm", "relu"]
    torch.testing.assert_close(tape.constants, [weight + 1])
    torch.testing.assert_close(made, torch.tensor([[5.0, 7.0, 9.0]]))
    with pytest.raises(TapeError, match="changes a tensor in place"):
        record(lambda x: [x.add_(1)], torch.ones(1))
