"""A network that computes clean latents, and is seen as one that computes v: by the equations of `diffusion`."""

import pytest
import torch
from networks import network
from torch import nn

from puppetmaster_core.diffusion import denoise
from puppetmaster_core.model.prediction import clean_to_v


@pytest.mark.parametrize("sigma", [0.002, 0.4, 1.0, 30.0, 700.0])
def test_the_denoiser_of_that_v_is_the_clean_video(sigma):
    generator = torch.Generator().manual_seed(0)
    clean, noisy = (torch.randn(2, 3, 4, 5, 5, generator=generator) for _ in range(2))
    levels = torch.tensor([sigma, 2 * sigma])
    result = denoise(lambda scaled, c_noise: clean_to_v(clean, scaled, c_noise), noisy, levels)
    torch.testing.assert_close(result, clean, atol=2e-3, rtol=1e-3)


def test_a_network_of_clean_latents_gives_them_at_every_noise_level():
    net = network(prediction="clean")
    nn.init.zeros_(net.conv_out.weight)
    nn.init.constant_(net.conv_out.bias, 0.25)
    noisy, given = torch.randn(2, 2, 3, 8, 8), torch.randn(2, 2, 3, 8, 8)

    def call(scaled, c_noise):
        return net(torch.cat([scaled, given], 2), c_noise, torch.randn(2, 1, 16), torch.zeros(2, 3), return_dict=False)[0]

    with torch.no_grad():
        result = denoise(call, noisy, torch.tensor([0.5, 40.0]))
    torch.testing.assert_close(result, torch.full_like(result, 0.25), atol=1e-5, rtol=1e-4)
