"""Live dragging: one frame of a picture that stays, and parts that look movable."""

import threading

import numpy as np
import pytest
import torch
from PIL import Image

from puppetmaster_core.drags import Drags
from puppetmaster_core.editor import DragEditor
from puppetmaster_core.editor.live_hand import LiveHand
from puppetmaster_core.editor.maker import Maker
from puppetmaster_core.live import LivePicture
from puppetmaster_core.pipeline import build
from puppetmaster_core.presets import SMOKE, TINY

DRAGS = Drags(np.linspace((0.3, 0.4), (0.5, 0.7), 14)[None].astype(np.float32))


@pytest.fixture(scope="module")
def pipeline():
    made = build(TINY)
    for module in (made.unet, made.vae, made.image_encoder):
        module.eval()
    return made


@pytest.fixture(scope="module")
def picture():
    return Image.fromarray((np.mgrid[:48, :60].sum(0)[..., None] * [1, 2, 2] % 256).astype(np.uint8))


def test_a_live_frame_has_the_pictures_shape_and_only_what_moves_changes(pipeline, picture):
    live = LivePicture(pipeline, picture)
    frame = live.frame(DRAGS)
    assert frame.dtype == np.uint8 and frame.shape[0] / frame.shape[1] == pytest.approx(48 / 60, abs=0.02)
    assert np.array_equal(frame, live.frame(DRAGS))  # the same drags and seed, the same frame
    live._parts = tuple(torch.zeros_like(one) for one in live._parts)  # no part: nothing to move
    pipeline.vae.motion, kept = (lambda x, dragged: [_still(m) for m in kept(x, dragged)]), pipeline.vae.motion
    try:
        still = live.frame(DRAGS)
    finally:
        del pipeline.vae.motion
    whole = live.placement.pad(picture)
    assert np.array_equal(still, live.placement.cut(np.asarray(whole)[None])[0])


def _still(motion):
    return type(motion)(torch.zeros_like(motion.masks), motion.fields)


def test_what_was_seen_of_the_picture_is_kept(pipeline, picture, monkeypatch):
    live = LivePicture(pipeline, picture)
    monkeypatch.setattr(pipeline.vae.parts, "forward", None)  # looking again would fail
    live.frame(DRAGS)
    parts = live._parts
    live.frame(Drags(np.linspace((0.3, 0.4), (0.1, 0.2), 14)[None].astype(np.float32)))
    assert live._parts is parts  # it begins on the same place


def test_suggested_arrows_begin_where_the_network_says_that_something_moves(pipeline, picture):
    live = LivePicture(pipeline, picture)
    live.looks.both.about[:] = -9.0
    live.looks.both.about[:, 0, 20:30, 40:50] = 9.0  # the only part that is movable
    live.looks.both.about[:, 7], live.looks.both.about[:, 8] = -1.0, 0.0  # cos 2θ, sin 2θ: up and down
    (found,) = live.suggest()
    begin, end = live.placement.drags_in(found.drags).points[0, [0, -1]] * 64
    assert 40 <= begin[0] <= 50 and 20 <= begin[1] <= 30
    np.testing.assert_allclose(end - begin, (0, 0.15 * 64), atol=1e-3)
    assert found.mask.shape == (64, 64) and found.mask.min() >= 0 and found.mask.max() <= 1


def test_models_of_picture_latents_are_refused_in_a_word(picture):
    told = DragEditor(picture, pipeline=build(SMOKE))._hand.measure()
    assert told["on"] is False and told["why"].startswith("Live dragging is off: got a model of picture latents, expected")


def test_the_editor_answers_its_page(pipeline, picture, monkeypatch):
    editor, heard, done = DragEditor(picture, pipeline=pipeline), [], threading.Event()

    def send(message, buffers):
        heard.append((message, buffers))
        done.set()

    monkeypatch.setattr(editor, "send", send)
    record = {"format": "puppetmaster.drags/1", "image_size": [60, 48], "drags": [{"points": [[20, 20], [30, 20]]}]}
    editor._heard(None, {"kind": "live", "id": 7, "record": record, "seed": 0}, [])
    assert done.wait(120)
    ((message, (rgb,)),) = heard
    assert message["id"] == 7 and len(rgb) == 3 * message["width"] * message["height"]


def test_stale_questions_are_dropped(picture):
    """While one answer is made, of all that come only the newest waits."""
    heard, begun, go, done = [], threading.Event(), threading.Event(), threading.Event()

    class Slow(LiveHand):
        def _frame(self, drags, seed):
            begun.set()
            assert go.wait(20)
            return seed

    def answer(question, frame):
        heard.append(frame)
        if frame == 4:
            done.set()

    hand = Slow(Maker(object()), picture, answer, heard.append)
    record = {"format": "puppetmaster.drags/1", "image_size": [60, 48], "drags": [{"points": [[1, 2], [3, 4]]}]}
    hand.ask({"record": record, "seed": 1})
    assert begun.wait(20)
    for seed in (2, 3, 4):
        hand.ask({"record": record, "seed": seed})
    go.set()
    assert done.wait(20)
    assert heard == [1, 4]
