"""The book's drawings of motion: what colours mean, and which of its own figures stand beside the ceilings."""

import numpy as np
import torch
from motion_models import SKETCH

from lib import motion_figures as figures
from puppetmaster_core import Drags
from puppetmaster_core.pipeline import build


def test_rest_is_white_direction_is_hue_and_length_is_strength():
    field = np.zeros((1, 4, 2))
    field[0, 1:, :] = (0.2, 0.0), (0.1, 0.0), (-0.2, 0.0)
    rest, right, half, left = figures.coloured(field)[0]
    np.testing.assert_allclose(rest, 1)
    np.testing.assert_allclose(right, (1, 0, 0), atol=1e-9)
    np.testing.assert_allclose(half, (1, 0.5, 0.5), atol=1e-9)
    np.testing.assert_allclose(left, (0, 1, 1), atol=1e-9)  # the opposite hue


def test_a_video_being_diffused_is_drawn_with_the_guess_before_it():
    pipe = build(SKETCH)
    pipe.set_progress_bar_config(disable=True)
    picture = torch.zeros(1, 3, 64, 64)
    drags = Drags(np.array([[[0.3, 0.5], [0.7, 0.5]]], np.float32)).resample(SKETCH.frames)
    seen = pipe.latents.look(picture, *pipe.drag_tensors([drags]), [None])
    stages = [torch.randn(1, SKETCH.frames, *seen.shape) for _ in range(2)]
    figure = figures.diffusing(stages, seen.known, pipe.vae.config.scale, ["noise", "answer"])
    rows = [[axis.get_title() for axis in figure.axes[i : i + 3]] for i in (0, 3, 6)]
    assert rows[0] == ["the drags alone", "noise", "answer"]
    assert [figure.axes[i].get_ylabel() for i in (0, 3, 6)] == ["added", "moves", "displacement"]


def test_our_own_rows_are_those_of_motion_models_on_cabinets():
    told = {row: {"moving": {"mean": value}} for row, value in (("static copy", 9.0), ("exact motion", 20.5), ("model", 17.25))}
    records = {"a.json": {"model": "m", "kinds": "cabinets", "summary": told},
               "b.json": {"model": "m", "kinds": "all", "summary": told},
               "c.json": {"model": "old", "summary": {"model": {"moving": {"mean": 14.0}}}}, "d.json": {"rows": []}}
    own = figures.own_rows(records)
    assert list(own.values()) == [9.0, 20.5, 17.25] and all("m, judged clips" in name for name in own)
    bars = figures.ceilings(own).axes[0]
    assert [label.get_text() for label in bars.get_yticklabels()] == [*figures.CEILINGS, *own]
