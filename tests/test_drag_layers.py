"""The drag layers one by one: modulation (Eq. 3), all-to-first attention (Eq. 4), drag tokens."""

import pytest
import torch
from networks import drags, network
from torch import nn

from puppetmaster_core.model.attention import all_to_first, all_to_first_reference, spatial
from puppetmaster_core.model.modulation import DragModulation, Modulation, modulate
from puppetmaster_core.model.tokens import drag_positions, embed_points, sample_features


# --- Eq. 3 ---------------------------------------------------------------------------------------------------------
def test_modulation_is_equation_3():
    g = torch.Generator().manual_seed(0)
    f, gamma, beta = (torch.randn(2, 3, 4, 5, 6, generator=g) for _ in range(3))
    wanted = (f * (1 + gamma) + beta).flatten(0, 1)
    assert torch.equal(modulate(f.flatten(0, 1), Modulation(gamma, beta)), wanted)
    assert torch.equal(modulate(f.flatten(0, 1), Modulation(None, beta)), (f + beta).flatten(0, 1))


def test_modulation_starts_at_zero():
    gamma, beta = DragModulation(18, 8, (4, 6))(torch.randn(2, 3, 18, 4, 4))
    assert gamma.shape == beta.shape == (2, 3, 8, 4, 4)
    assert not gamma.any() and not beta.any()


# --- Eq. 4 ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("frames", [1, 3, 14])
def test_all_to_first_equals_its_slow_reference(frames):
    g = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2 * frames, 3, 10, 4, generator=g, dtype=torch.float64).requires_grad_() for _ in range(3))
    weight = torch.randn(q.shape, generator=g, dtype=torch.float64)
    results = []
    for arm in (all_to_first, all_to_first_reference):
        out = arm(q, k, v, frames)
        results.append((out, *torch.autograd.grad((out * weight).sum(), (q, k, v))))
    for fast, slow in zip(*results, strict=True):
        torch.testing.assert_close(fast, slow, rtol=0, atol=1e-12)
    _, _, k_grad, v_grad = results[0]
    assert not k_grad.unflatten(0, (2, frames))[:, 1:].any()
    assert not v_grad.unflatten(0, (2, frames))[:, 1:].any()


def test_all_to_first_takes_the_first_frames_alone():
    q, k, v = torch.randn(3, 6, 2, 10, 4).unbind()
    wanted = all_to_first(q, k, v, 3)
    torch.testing.assert_close(all_to_first(q, k[::3], v[::3], 3), wanted, rtol=0, atol=0)
    torch.testing.assert_close(all_to_first(q, k, v, 1), spatial(q, k, v, 1))


# --- Tokens --------------------------------------------------------------------------------------------------------
def test_positions_of_a_drag():
    points = torch.arange(2 * 3 * 4 * 2.0).reshape(2, 3, 4, 2)
    places = drag_positions(points, ("u", "vn", "vN"))
    assert places.shape == (8, 3, 3, 2)
    for b, n, k in [(0, 0, 0), (1, 2, 1), (0, 3, 2)]:
        got = places[b * 4 + n, k]
        assert torch.equal(got, torch.stack([points[b, k, 0], points[b, k, n], points[b, k, -1]]))


def test_position_embedding_tells_places_apart():
    grid = torch.cartesian_prod(torch.linspace(0, 1, 33), torch.linspace(0, 1, 33))
    distances = torch.cdist(embed_points(grid, 64), embed_points(grid, 64)) + 10 * torch.eye(len(grid))
    assert distances.min() > 0.5


def test_features_are_read_where_the_point_is():
    h, w = 4, 6
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    features = torch.stack([x, y]).float()[None]  # a map that holds its own cell
    centres = torch.tensor([[0, 0], [5, 3], [2, 1]]) + 0.5
    points = (centres / torch.tensor([w, h]))[None, :, None]
    assert torch.allclose(sample_features(features, points)[0, :, 0], centres - 0.5, atol=1e-5)
    outside = torch.tensor([[-0.3, 0.5], [1.2, 1.7]])[None, :, None]
    got = sample_features(features, outside)[0, :, 0]
    assert got[0, 0] == 0 and torch.equal(got[1], torch.tensor([5.0, 3.0]))


def test_detached_tokens_give_no_gradient_to_features():
    for detach in (True, False):
        tokens = network(token_detach=detach).drag_transformers()[0].tokens
        features = torch.randn(3, 32, 8, 8, requires_grad=True)
        tokens(features, drags(1, 3)[0], torch.ones(1, 3, 3, dtype=bool)).sum().backward()
        assert (features.grad is None) == detach


def test_half_precision_keeps_places_exact():
    tokens = network(token_position_channels=64).drag_transformers()[0].tokens
    features, points, present = torch.randn(3, 32, 8, 8), drags(1, 3)[0], torch.ones(1, 3, 3, dtype=bool)
    seen = []
    tokens.mlp.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    tokens(features, points, present)
    wanted = seen.pop()
    nn.Module.to(tokens, torch.bfloat16)(features.bfloat16(), points, present)
    torch.testing.assert_close(seen.pop().float(), wanted, rtol=0.01, atol=0.02)  # rounded once, at the end
