"""What a checkpoint may be asked for besides what it was trained at: other frames, sizes, numbers of drags."""

import numpy as np
import pytest
import torch
from networks import THREE_LEVELS, drags, network, trained
from oracle import quiet, smoke
from PIL import Image

from puppetmaster_core import Drags, PuppetMasterPipeline
from puppetmaster_core.presets import SMOKE
from puppetmaster_core.sampling import Guidance, Sampling, sample

RIGHT = Drags([[[0.3, 0.4], [0.8, 0.4]]])
PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 64, 3), dtype=np.uint8))


# ---- a checkpoint as it is -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("frames", "size"), [(2, 64), (3, 40), (7, 56), (25, 24), (4, 128)])
def test_other_frames_and_sizes_are_settings_of_a_loaded_model(pipe, tmp_path, frames, size):
    """40, 56 and 24 pixels are 5, 7 and 3 latent cells: grids that do not halve evenly."""
    pipe.save_pretrained(tmp_path / "smoke")  # made for 64 pixels, 4 frames, 5 drags
    pipe = quiet(PuppetMasterPipeline.from_pretrained(tmp_path / "smoke", frames=frames, size=size))
    assert (pipe.config.frames, pipe.config.size) == (frames, size)
    video = pipe(PICTURE, RIGHT, seed=0)
    assert video.frames.shape == (frames, round(size * 40 / 64), size, 3)
    assert video.drags.points.shape == (1, frames, 2), "drags are brought to the model's frames"
    assert not np.array_equal(video.frames, pipe(PICTURE, None, seed=0).frames)


# ---- a checkpoint made so --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 2, 12])
def test_a_model_for_fewer_or_more_drags(most):
    pipe = smoke(unet=network(**SMOKE.unet | {"max_drags": most}))
    assert pipe.unet.drag_transformers()[0].modulation.conv_in.in_channels == 6 * most
    assert pipe(PICTURE, Drags(np.random.default_rng(0).random((most, 2, 2))), seed=0).frames.shape == (4, 40, 64, 3)


# ---- the network, where no square is needed --------------------------------------------------------------------------


@pytest.mark.parametrize("attention", ["all_to_first", "spatial", "static_reference"])
@pytest.mark.parametrize(("frames", "size"), [(5, (4, 12)), (3, (9, 5)), (1, (6, 10))])
@torch.no_grad()
def test_guided_sampling_on_grids_that_are_not_square(frames, size, attention):
    net = trained(network(levels=THREE_LEVELS, attention=attention))
    some, null = net.condition(*drags(2, frames), size), net.null_conditioning(2, frames, size)
    noise = torch.randn(2, frames, 3, *size, generator=torch.Generator().manual_seed(0))
    given, embedding, ids = torch.randn(2, 3, *size), torch.randn(2, 1, 16), torch.zeros(1, 3)

    def end(conditioning, guidance):
        scheduler = Sampling("euler", 3).scheduler(None)
        return sample(net, scheduler, noise, given, embedding, ids, conditioning, guidance)

    x = end(some, Guidance(torch.linspace(1, 3, frames), null))
    assert x.shape == noise.shape and x.isfinite().all()
    assert not torch.allclose(x, end(null, None), rtol=1e-3)
