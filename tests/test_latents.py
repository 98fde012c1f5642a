"""Between pictures and latents: what goes in comes out, and anchoring keeps the given picture."""

import pytest
import torch
from diffusers import AutoencoderKLTemporalDecoder

from puppetmaster_core.latents.pictures import LatentSpace, decode, decode_anchored, encode, still_weight
from puppetmaster_core.presets import PRESETS, SMOKE, SVD, cell_size, patch_size


@pytest.fixture(scope="module")
def vae():
    torch.manual_seed(0)
    return AutoencoderKLTemporalDecoder(**SMOKE.vae).eval()


@pytest.mark.parametrize("residual", [False, True])
def test_the_latent_space_has_an_inverse(residual):
    z = torch.randn(2, 3, 4, 5, 5)
    space = LatentSpace(0.3, residual)
    x = space.diffused(z, z[:, 0])
    torch.testing.assert_close(space.undiffused(x, z[:, 0]), z)
    assert (x[:, 0] == 0).all() == residual  # residual latents start at the still video


OF_PICTURES = [preset for preset in (*PRESETS.values(), SVD) if preset.latents == "pictures"]


@pytest.mark.parametrize("preset", OF_PICTURES, ids=lambda preset: preset.name)
def test_a_latent_cell_is_as_large_as_the_preset_says(preset):
    with torch.device("meta"):
        model = AutoencoderKLTemporalDecoder(**preset.vae)
    assert patch_size(model.config) ** 2 * 3 == preset.vae["in_channels"]
    assert cell_size(model.config) == preset.cell == 8


def test_pictures_keep_their_size(vae):
    pictures = torch.rand(3, 3, 64, 32) * 2 - 1
    z = encode(vae, pictures)
    assert z.shape == (3, 4, 8, 4)
    assert decode(vae, z[None]).shape == (1, 3, 3, 64, 32)


@torch.no_grad()
def test_a_still_video_is_the_given_picture_whatever_the_vae_loses(vae):
    first = torch.rand(1, 3, 32, 32) * 2 - 1
    z_first = encode(vae, first)
    still = z_first[:, None].repeat(1, 4, 1, 1, 1)
    assert (decode(vae, still) - first[:, None]).abs().max() > 0.1  # an untrained VAE loses much
    torch.testing.assert_close(decode_anchored(vae, still, first, z_first, 0.25), first[:, None].expand(1, 4, 3, 32, 32))


@pytest.mark.parametrize(("change", "weight"), [(0.0, 1.0), (0.15, 1.0), (0.375, 0.5), (0.6, 0.0), (2.0, 0.0)])
def test_what_changed_by_the_tolerance_is_not_still(change, weight):
    """Worked by hand for a tolerance of 0.6: halfway from a quarter of it to all of it lies 0.375, the smooth step's 1/2."""
    still = torch.zeros(1, 2, 3, 16, 16)
    decoded = still.clone()
    decoded[:, 1, 1] = change  # frame 2, green
    expected = torch.ones(1, 2, 1, 16, 16)
    expected[:, 1] = weight
    torch.testing.assert_close(still_weight(decoded, still, 0.6), expected)


def test_a_stray_pixel_is_not_motion():
    still = torch.zeros(1, 1, 3, 16, 16)
    decoded = still.clone()
    decoded[..., 8, 8] = 2.0  # a 25th of it, 0.08, is what 5×5 pixels average to
    assert (still_weight(decoded, still, 0.6) == 1).all()
    decoded[..., 6:11, 6:11] = 2.0
    assert still_weight(decoded, still, 0.6)[..., 8, 8] == 0


@torch.no_grad()
def test_anchoring_leaves_alone_what_changed(vae):
    first = torch.rand(1, 3, 32, 32) * 2 - 1
    z_first = encode(vae, first)
    moved = torch.cat([z_first[:, None], z_first[:, None] + 10 * torch.randn(1, 1, *z_first.shape[1:])], 1)
    plain, anchored = decode(vae, moved), decode_anchored(vae, moved, first, z_first, 0.25)
    changed = still_weight(plain, decode(vae, z_first[:, None].expand_as(moved)), 0.25) == 0
    assert changed[:, 1].any()
    torch.testing.assert_close(anchored[changed.expand_as(plain)], plain[changed.expand_as(plain)])
