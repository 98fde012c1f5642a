"""What a network knows at each noise level, measured on networks of which it is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from motion_models import SKETCH
from toys import cabinet

from lib.one_step import one_step_errors
from puppetmaster_core.clips.sources import WATCH_SEEDS
from puppetmaster_core.pipeline import build
from puppetmaster_core.presets import SMOKE


@pytest.fixture(scope="module")
def clips():
    return [cabinet(WATCH_SEEDS + number, SMOKE.size, SMOKE.frames) for number in range(2)]


def silent(prediction, preset=SMOKE):
    """A pipeline, on residual latents where they are pictures', whose network's last layer gives 0."""
    made = build(replace(preset, residual=preset.latents == "pictures", unet=preset.unet | {"prediction": prediction}))
    torch.nn.init.zeros_(made.unet.conv_out.weight)
    torch.nn.init.zeros_(made.unet.conv_out.bias)
    return made


def test_who_always_says_that_nothing_moves_is_wrong_by_a_still_video(clips):
    errors = one_step_errors(silent("clean"), clips, (80.0, 1.0))
    np.testing.assert_allclose(errors, np.ones((2, 2)), rtol=1e-5)


def test_who_gives_back_what_it_sees_is_right_where_there_is_no_noise(clips):
    """A v of 0 means D = x_σ / (σ² + 1): nearly x itself at small σ, nearly 0 at large σ."""
    errors = one_step_errors(silent("v"), clips, (1e-4, 1e4))
    np.testing.assert_allclose(errors[:, 0], 0, atol=1e-3)
    np.testing.assert_allclose(errors[:, 1], 1, rtol=1e-2)


def test_a_network_of_motion_latents_is_measured_too(clips):
    """Its v of 0 at little noise means what it sees, so it is right."""
    errors = one_step_errors(silent("v", SKETCH), clips, (1e-4, 80.0))
    np.testing.assert_allclose(errors[:, 0], 0, atol=1e-3)
    assert np.isfinite(errors).all() and (errors[:, 1] > 0).all()
