"""Muon: matrices move by orthogonal steps as large as AdamW's, the rest is AdamW's, and a run goes on from its state."""

import copy

import pytest
import torch
from torch import nn

from puppetmaster_core.training.muon import Muon, orthogonal


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(16, 24, 3), nn.GroupNorm(4, 24), nn.SiLU(), nn.Flatten(), nn.Linear(96, 4))


def update(model, optimizer, seed):
    x = torch.randn(8, 16, 4, 4, generator=torch.Generator().manual_seed(seed))
    (model(x) - x.mean()).square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()


@pytest.mark.parametrize("shape", [(24, 96), (96, 24), (32, 32)])
def test_singular_values_come_near_one(shape):
    values = torch.linalg.svdvals(orthogonal(torch.randn(shape, generator=torch.Generator().manual_seed(1))))
    assert values.min() > 0.5 and values.max() < 1.3  # the post's polynomial: 0.7 to 1.2 for all but the smallest


def test_a_convolution_moves_orthogonally_and_the_rest_as_by_adamw():
    ours, theirs = network(), network()
    before = ours[0].weight.detach().clone()
    update(ours, Muon(ours.parameters(), lr=1e-2, weight_decay=0.1), 0)
    update(theirs, torch.optim.AdamW(theirs.parameters(), lr=1e-2, weight_decay=0.1), 0)
    step = (before * (1 - 1e-3) - ours[0].weight).detach().flatten(1)
    assert step.square().mean().sqrt() == pytest.approx(0.2 * 1e-2, rel=0.25)  # Moonshot's scale (arXiv 2502.16982): AdamW's RMS
    values = torch.linalg.svdvals(step)
    assert values.max() < 2.5 * values.min()
    for name, weight in theirs.named_parameters():
        assert torch.equal(weight, ours.get_parameter(name)) == (name != "0.weight")  # 4 × 96 is too small a matrix


def test_a_run_goes_on_from_its_state_to_the_bit():
    whole = network()
    optimizer = Muon(whole.parameters(), lr=1e-2)
    for seed in range(2):
        update(whole, optimizer, seed)
    resumed, state = copy.deepcopy(whole), copy.deepcopy(optimizer.state_dict())
    update(whole, optimizer, 2)
    optimizer = Muon(resumed.parameters(), lr=1e-2)
    optimizer.load_state_dict(state)
    update(resumed, optimizer, 2)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))
