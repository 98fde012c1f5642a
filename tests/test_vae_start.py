"""A VAE from nothing begins as the best linear code of patches: what that is comes from scikit-learn's PCA."""

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLTemporalDecoder
from sklearn.decomposition import PCA
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from puppetmaster_core.latents.pictures import decode, encode, encode_distribution
from puppetmaster_core.presets import _vae
from puppetmaster_core.training.principal import start_principal


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    """Smooth random pictures (24, 3, 32, 32) in [−1, 1]."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(24, 3, 8, 8, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=32, mode="bicubic")
    return (smooth + 0.1 * torch.randn(24, 3, 32, 32, generator=generator)).tanh()


@pytest.fixture(scope="module")
def started(pictures) -> AutoencoderKLTemporalDecoder:
    torch.manual_seed(0)
    vae = AutoencoderKLTemporalDecoder(**_vae((96,), 12, patch=4)).eval()
    start_principal(vae, pictures)
    return vae


def test_reconstructions_are_those_of_principal_component_analysis(started, pictures):
    patches = pixel_unshuffle(pictures, 4).movedim(1, -1)
    pca = PCA(12).fit(patches.flatten(0, 2).double())
    best = pca.inverse_transform(pca.transform(patches.flatten(0, 2).double())).reshape(patches.shape)
    best = pixel_shuffle(torch.from_numpy(best).movedim(-1, 1), 4)
    with torch.no_grad():
        ours = decode(started, encode(started, pictures)[:, None])[:, 0]
    assert (ours - best).abs().max() < 0.1  # the constant beside the signals is large, not infinite
    error, least = ((x - pictures).square().mean() for x in (ours, best))
    assert least <= error < 1.1 * least


def test_latents_have_unit_variance_and_a_narrow_posterior(started, pictures):
    with torch.no_grad():
        posterior = encode_distribution(started, pictures)
    assert posterior.mean.square().mean().sqrt() == pytest.approx(1, abs=0.1)
    assert float(posterior.std.mean()) == pytest.approx(np.exp(-3), rel=0.05)


def test_all_weights_can_learn_from_there(started, pictures):
    started.zero_grad()
    posterior = encode_distribution(started, pictures[:2])
    decode(started, posterior.mean[:, None]).square().mean().backward()
    silent = [module.conv2 for module in started.modules() if hasattr(module, "conv2")]
    assert silent and all(float(layer.weight.grad.abs().max()) > 0 for layer in silent)
