"""What a checkpoint may be asked for besides what it was trained at: other frames, sizes, numbers of drags."""

import numpy as np
import pytest
import torch
from networks import THREE_LEVELS, drags, network, trained
from PIL import Image

from puppetmaster_core import Drags, PuppetMasterPipeline
from puppetmaster_core.drags import DragError
from puppetmaster_core.pipeline import build
from puppetmaster_core.presets import SMOKE
from puppetmaster_core.sampling import Guidance, Sampling, sample

RIGHT = Drags([[[0.3, 0.4], [0.8, 0.4]]])
PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 64, 3), dtype=np.uint8))


def quiet(pipe):
    pipe.set_progress_bar_config(disable=True)
    return pipe


# ---- a checkpoint as it is -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "smoke"  # made for 64 pixels, 4 frames, 5 drags
    pipe = build(SMOKE)
    for name, parameter in pipe.unet.named_parameters():
        if "conv_out" in name and "modulation" in name:  # starts at zero, where drags do little
            parameter.data.normal_(std=0.1, generator=torch.Generator().manual_seed(1))
    pipe.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(("frames", "size"), [(2, 64), (3, 40), (7, 56), (25, 24), (4, 128)])
def test_other_frames_and_sizes_are_settings_of_a_loaded_model(saved, frames, size):
    """40, 56 and 24 pixels are 5, 7 and 3 latent cells: grids that do not halve evenly."""
    pipe = quiet(PuppetMasterPipeline.from_pretrained(saved, frames=frames, size=size))
    assert (pipe.config.frames, pipe.config.size) == (frames, size)
    video = pipe(PICTURE, RIGHT, seed=0)
    assert video.frames.shape == (frames, round(size * 40 / 64), size, 3)
    assert video.drags.points.shape == (1, frames, 2), "drags are brought to the model's frames"
    assert not np.array_equal(video.frames, pipe(PICTURE, None, seed=0).frames)


def test_a_size_that_is_no_whole_number_of_cells_is_refused(saved):
    with pytest.raises(ValueError, match=r"size=60, expected a multiple of 8"):
        PuppetMasterPipeline.from_pretrained(saved, size=60)
    with pytest.raises(ValueError, match="frames=1, expected a whole number from 2"):
        PuppetMasterPipeline.from_pretrained(saved, frames=1)


def test_as_many_drags_as_it_was_made_for_and_no_more(saved):
    pipe = quiet(PuppetMasterPipeline.from_pretrained(saved))
    for count in (1, 5):
        pipe(PICTURE, Drags(np.random.default_rng(0).random((count, 2, 2))), seed=0)
    with pytest.raises(DragError, match="6 drags, this checkpoint encodes at most 5"):
        pipe(PICTURE, Drags(np.random.default_rng(0).random((6, 2, 2))), seed=0)


# ---- a checkpoint made so --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 2, 12])
def test_a_model_for_fewer_or_more_drags(most):
    pipe = quiet(build(SMOKE, unet=network(**SMOKE.unet | {"max_drags": most})))
    assert pipe.unet.drag_transformers()[0].modulation.conv_in.in_channels == 6 * most
    assert pipe(PICTURE, Drags(np.random.default_rng(0).random((most, 2, 2))), seed=0).frames.shape == (4, 40, 64, 3)
    with pytest.raises(DragError, match=f"{most + 1} drags, this checkpoint encodes at most {most}"):
        pipe(PICTURE, Drags(np.random.default_rng(0).random((most + 1, 2, 2))), seed=0)


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


@torch.no_grad()
def test_a_mirrored_grid_is_only_a_matter_of_axes():
    """x is x and y is y off the square as well: a transposed picture with transposed drags has transposed maps."""
    net = trained(network(torch.float64))
    for conv in (m for m in net.modules() if isinstance(m, torch.nn.Conv2d)):
        conv.weight.copy_(conv.weight + conv.weight.transpose(-1, -2))  # convolutions that do not know the axes
    points, present = drags(1, 3)
    swapped = net.condition(points.flip(-1), present, (6, 10)).maps[0].beta
    net_maps = net.condition(points, present, (10, 6)).maps[0].beta
    # the encoding's channels come as x, y pairs: exchange them in the first convolution
    first = net.drag_transformers()[0].modulation
    pairs = first.conv_in.weight.unflatten(1, (-1, 2)).flip(2).flatten(1, 2)
    first.conv_in.weight.copy_(pairs)
    torch.testing.assert_close(net.condition(points, present, (10, 6)).maps[0].beta.transpose(-1, -2), swapped, rtol=0, atol=1e-9)
    assert not torch.allclose(net_maps.transpose(-1, -2), swapped)
