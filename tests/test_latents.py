"""Between pictures and latents: what goes in comes out, and anchoring keeps the given picture."""

import pytest
import torch
from diffusers import AutoencoderKLTemporalDecoder

from puppetmaster_core.latents import LatentSpace, decode, decode_anchored, downscale, encode, patch_size
from puppetmaster_core.presets import PRESETS, SMOKE, SVD


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


@pytest.mark.parametrize("preset", [*PRESETS.values(), SVD], ids=lambda preset: preset.name)
def test_a_latent_cell_is_as_large_as_the_preset_says(preset):
    with torch.device("meta"):
        model = AutoencoderKLTemporalDecoder(**preset.vae)
    assert patch_size(model) ** 2 * 3 == preset.vae["in_channels"]
    assert downscale(model) == preset.cell == 8


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


@torch.no_grad()
def test_anchoring_leaves_alone_what_changed(vae):
    first = torch.rand(1, 3, 32, 32) * 2 - 1
    z_first = encode(vae, first)
    moved = torch.cat([z_first[:, None], z_first[:, None] + 10 * torch.randn(1, 1, *z_first.shape[1:])], 1)
    plain, anchored = decode(vae, moved), decode_anchored(vae, moved, first, z_first, 0.25)
    changed = (plain - decode(vae, z_first[:, None].expand_as(moved))).abs().amax(2, keepdim=True) >= 0.25
    assert changed[:, 1].any()
    torch.testing.assert_close(anchored[changed.expand_as(plain)], plain[changed.expand_as(plain)])
