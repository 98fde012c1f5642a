"""The compared mechanisms on the shared backbone: each follows its drags, and does what its method's paper says it does."""

import pytest
import torch

from puppetmaster_core.baselines import MECHANISMS
from puppetmaster_core.baselines.copied_features import copied, softly_copied
from puppetmaster_core.baselines.maps import blur, displacement_maps
from puppetmaster_core.presets import ABLATION

B, N, C, G = 2, 3, 24, 8


def moved_a_little(net):
    """As if training had begun: what starts at zero does not stay there."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    return net.eval()


def built(name):
    torch.manual_seed(0)
    net = moved_a_little(MECHANISMS[name](**ABLATION.unet | {"reference_scale": 0.0}))
    if hasattr(net, "masks"):
        net.masks = torch.zeros(B, 5, G, G)
        net.masks[:, :, 2:4, 2:4] = 1
    return net


def answer(net, points, present, sample=None):
    if sample is None:
        sample = torch.randn(B, N, 2 * C, G, G, generator=torch.Generator().manual_seed(2))
    look, ids = torch.zeros(B, 1, 48), torch.zeros(B, 3)
    with torch.no_grad():
        return net(sample, torch.full((B,), 0.3), look, ids, net.condition(points, present, (G, G)), return_dict=False)[0]


def straight(end):
    """One drag from (0.3, 0.3), one absent."""
    start, end = torch.tensor([0.3, 0.3]), torch.tensor(end)
    path = start + torch.linspace(0, 1, N)[:, None] * (end - start)
    return torch.stack([path, torch.zeros(N, 2)])[None].repeat(B, 1, 1, 1)


@pytest.mark.parametrize("name", MECHANISMS)
def test_a_mechanism_follows_its_drags_and_nothing_absent(name):
    net, there = built(name), torch.tensor([[True, False]] * B)
    right = answer(net, straight([0.8, 0.3]), there)
    assert right.shape == (B, N, C, G, G)
    assert not torch.allclose(right, answer(net, straight([0.3, 0.8]), there))
    none = torch.zeros_like(there)
    torch.testing.assert_close(answer(net, straight([0.8, 0.3]), none), answer(net, straight([0.3, 0.8]), none))
    assert sum(p.numel() for p in net.parameters()) < 2_000_000


def test_single_frames_know_nothing_of_each_other():
    net, there = built("single frames"), torch.tensor([[True, False]] * B)
    sample = torch.randn(B, N, 2 * C, G, G, generator=torch.Generator().manual_seed(2))
    other = sample.clone()
    other[:, 1] += 1
    first, second = (answer(net, straight([0.8, 0.3]), there, one) for one in (sample, other))
    torch.testing.assert_close(first[:, [0, 2]], second[:, [0, 2]])
    assert not torch.allclose(first[:, 1], second[:, 1])


def test_the_flow_branch_sees_no_noise():
    net, there = built("flow branch"), torch.tensor([[True, False]] * B)
    seen = []
    net.branch.register_forward_hook(lambda module, inputs, out: seen.append([one.clone() for one in out]))
    sample = torch.randn(B, N, 2 * C, G, G, generator=torch.Generator().manual_seed(2))
    other = sample.clone()
    other[:, :, :C] += 1
    for one in (sample, other):
        answer(net, straight([0.8, 0.3]), there, one)
    assert all(torch.equal(a, b) for a, b in zip(*seen, strict=True))


def test_displacement_stands_where_the_drag_is_now():
    points = torch.tensor([[[[0.1, 0.1], [0.6, 0.1], [0.6, 0.9]]]])  # one drag of three frames
    maps = displacement_maps(points, torch.ones(1, 3, 1, dtype=torch.bool), 4)
    wanted = torch.zeros(1, 3, 2, 4, 4)
    wanted[0, 1, 0, 0, 2] = 0.5  # x, in frame 2, in row 0 and column 2
    wanted[0, 2, 1, 3, 2] = 0.8
    torch.testing.assert_close(maps, wanted)
    spot = torch.zeros(1, 1, 15, 15)
    spot[..., 7, 7] = 1
    assert blur(spot, 1.5, normalised=False)[0, 0, 7, 7] == 1
    torch.testing.assert_close(blur(spot, 1.5, normalised=True).sum(), torch.tensor(1.0))


def test_features_are_copied_along_the_drag():
    given = torch.arange(16.0).view(1, 1, 1, 4, 4).repeat(1, 2, 1, 1, 1)  # a cell's feature is its number
    points = torch.tensor([[[[0.125, 0.125], [0.875, 0.625]]]])  # the middle of cell 0, of row 2 and column 3
    there = torch.ones(1, 2, 1, dtype=torch.bool)
    hard = copied(given, points, there)
    wanted = given.clone()
    wanted[0, 1, 0, 2, 3] = 0
    assert torch.equal(hard, wanted)
    assert torch.equal(copied(given, points, ~there), given)
    soft, weight = softly_copied(given, points, there)
    torch.testing.assert_close(soft[0, 1, 0, 2, 3], torch.tensor(0.0))
    torch.testing.assert_close(weight[0, :, 0, [0, 2], [0, 3]].diagonal(), torch.ones(2))
    assert weight[0, 1, 0, 0, 0] < 0.01
