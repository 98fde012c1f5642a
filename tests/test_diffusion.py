"""Noise levels, preconditioning, loss and guidance, against formulas worked by hand."""

import pytest
import torch

from puppetmaster_core.diffusion import (
    SIGMA_MIN,
    denoise,
    diffusion_loss,
    drop_drags,
    frame_guidance,
    guide,
    precondition,
    sample_sigmas,
)


def test_noise_levels_are_log_normal():
    # App. C.1: log σ ~ N(0.7, 1.6²). 40,000 draws pin the mean to 0.008 and the deviation to 0.006.
    logs = sample_sigmas(40_000, torch.Generator().manual_seed(0)).log()
    assert logs.mean().item() == pytest.approx(0.7, abs=0.03)
    assert logs.std().item() == pytest.approx(1.6, abs=0.03)


def test_preconditioning_at_sigma_one():
    c_skip, c_out, c_in, c_noise = precondition(torch.tensor([1.0]))
    assert c_skip.item() == pytest.approx(0.5)
    assert c_out.item() == pytest.approx(-(0.5**0.5))
    assert c_in.item() == pytest.approx(0.5**0.5)
    assert c_noise.item() == 0.0


def test_the_network_sees_inputs_of_unit_variance():
    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(2, 1, 2, 3, 64, 64, generator=generator)
    for sigma in (0.01, 1.0, 100.0):
        seen = []
        denoise(lambda scaled, c_noise, seen=seen: seen.append(scaled) or scaled, clean + sigma * noise, torch.tensor([sigma]))
        assert seen[0].std().item() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(("dtype", "levels", "most"), [(torch.float64, (0.02, 1.0, 50.0), 1e-18),
                                                       (torch.float32, (SIGMA_MIN,) * 3, 1e-6)])
def test_a_network_that_predicts_v_loses_nothing(dtype, levels, most):
    """v = (ε − σ z_0)/√(1+σ²) for unit-variance data: feeding it back must denoise exactly, at every noise level. At σ_min an
    error of z_0 counts 250,000 times, and float32 must bear it."""
    generator = torch.Generator().manual_seed(1)
    clean, noise = torch.randn(2, 3, 2, 4, 5, 5, dtype=dtype, generator=generator)
    sigma = torch.tensor(levels, dtype=dtype)
    wide = sigma.view(-1, 1, 1, 1, 1)
    v = (noise - wide * clean) / (1 + wide**2).sqrt()
    assert diffusion_loss(lambda *_: v, clean, sigma, noise).max().item() < most


def test_the_loss_is_the_error_of_v():
    # An error of 2 everywhere in v is a loss of 4 at every noise level: Eq. 2's weighting as SVD has it.
    clean, noise = torch.randn(2, 2, 2, 4, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    sigma = torch.tensor([0.1, 7.0], dtype=torch.float64)
    wide = sigma.view(-1, 1, 1, 1, 1)
    wrong = (noise - wide * clean) / (1 + wide**2).sqrt() + 2
    torch.testing.assert_close(diffusion_loss(lambda *_: wrong, clean, sigma, noise), torch.full((2,), 4.0).double())


def test_drags_are_dropped_item_by_item():
    present = torch.ones(20_000, 5, dtype=torch.bool)
    kept = drop_drags(present, 0.1, torch.Generator().manual_seed(0))
    assert (kept.all(1) | ~kept.any(1)).all()  # all of an item or none
    assert (~kept.any(1)).float().mean().item() == pytest.approx(0.1, abs=0.01)


def test_guidance_grows_linearly_over_the_frames():
    torch.testing.assert_close(frame_guidance(5), torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]))
    without, with_drags = torch.zeros(1, 5, 1, 1, 1), torch.ones(1, 5, 1, 1, 1)
    torch.testing.assert_close(guide(with_drags, without, frame_guidance(5)).flatten(), frame_guidance(5))
    with pytest.raises(ValueError, match="expected numbers from 1 on"):
        frame_guidance(5, minimum=0.5)
