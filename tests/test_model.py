"""The network: equal to SVD's where it must be, differentiable where it must be, copied and saved whole."""

import copy

import pytest
import torch
from networks import SHAPES, THREE_LEVELS, TWO_LEVELS, drags, inputs, network, svd_like, trained

from puppetmaster_core.model import DragConditioning


# --- SVD's network, to the bit -------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@torch.no_grad()
def test_at_initialisation_without_drags_it_is_svd_to_the_bit(shape, dtype):
    net = network(dtype, THREE_LEVELS)
    args = inputs(*shape, dtype)
    wanted = svd_like(net, shape[1], THREE_LEVELS)(*args).sample
    assert torch.equal(net(*args).sample, wanted)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@torch.no_grad()
def test_at_initialisation_drags_change_nothing_until_tokens_do(shape):
    net = network(torch.float64, drag_tokens=False)
    args = inputs(*shape, torch.float64)
    conditioning = net.condition(*drags(*shape[:2]), shape[2:])
    wanted = svd_like(net, shape[1], TWO_LEVELS)(*args).sample
    torch.testing.assert_close(net(*args, conditioning).sample, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("settings", [{}, {"token_mask": False}, {"modulation": "shift"}, {"attention": "spatial"}])
@torch.no_grad()
def test_no_conditioning_equals_absent_drags(settings):
    net = trained(network(torch.float64, **settings))
    args = inputs(2, 3, 8, 6, torch.float64)
    wanted = net(*args).sample
    points, present = drags(2, 3, (False, False, False))
    for absent in (net.condition(points * 0, present, (8, 6)), net.null_conditioning(2, 3, (8, 6))):
        torch.testing.assert_close(net(*args, absent).sample, wanted, rtol=0, atol=1e-12)
    # nor does it matter where an absent drag would be, or how many there are
    torch.testing.assert_close(net(*args, net.condition(points, present, (8, 6))).sample, wanted, rtol=0, atol=1e-12)
    fewer = net.condition(points[:, :1], present[:, :1], (8, 6))
    torch.testing.assert_close(net(*args, fewer).sample, wanted, rtol=0, atol=1e-12)


# --- Drags matter, each in its own video ---------------------------------------------------------------------------
@pytest.mark.parametrize("levels", [TWO_LEVELS, THREE_LEVELS], ids=["two", "three"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@torch.no_grad()
def test_any_frames_and_any_size(shape, levels):
    net = trained(network(levels=levels))
    args = inputs(*shape)
    moved = net(*args, net.condition(*drags(*shape[:2]), shape[2:])).sample
    assert moved.shape == (*shape[:2], 3, *shape[2:])
    assert moved.isfinite().all()
    assert not torch.allclose(moved, net(*args).sample, atol=1e-4)


@pytest.mark.parametrize("attention", ["all_to_first", "static_reference"])
@torch.no_grad()
def test_a_guided_pair_equals_its_halves(attention):
    net = trained(network(torch.float64, attention=attention))
    args = inputs(2, 3, 8, 6, torch.float64)
    some, none = net.condition(*drags(2, 3), (8, 6)), net.null_conditioning(2, 3, (8, 6))
    pair = net(*(torch.cat([x, x]) for x in args), DragConditioning.cat([none, some])).sample
    halves = torch.cat([net(*args, none).sample, net(*args, some).sample])
    torch.testing.assert_close(pair, halves, rtol=0, atol=1e-12)


@torch.no_grad()
def test_a_drag_may_come_late():
    net = trained(network(torch.float64))
    args = inputs(1, 3, 8, 8, torch.float64)
    points, present = drags(1, 3)
    by_frame = present[:, None].repeat(1, 3, 1)
    same = net(*args, net.condition(points, by_frame, (8, 8))).sample
    assert torch.equal(same, net(*args, net.condition(points, present, (8, 8))).sample)
    by_frame[:, 0] = False
    assert not torch.allclose(net(*args, net.condition(points, by_frame, (8, 8))).sample, same)


# --- Gradients -----------------------------------------------------------------------------------------------------
def test_gradients_reach_every_drag_layer_and_are_right():
    net = trained(network(torch.float64))
    args = inputs(2, 3, 6, 5, torch.float64)
    weight = torch.randn(2, 3, 3, 6, 5, dtype=torch.float64)

    def loss():
        return (net(*args, net.condition(*drags(2, 3), (6, 5))).sample * weight).sum()

    loss().backward()
    layers = {name: p for name, p in net.named_parameters() if ".modulation." in name or ".tokens." in name}
    assert len(layers) == 4 * (8 + 4)
    assert all(p.grad is not None and p.grad.any() for p in net.parameters())
    for name in list(layers)[::7]:
        parameter, step = layers[name], 1e-6
        flat, grad = parameter.data.view(-1), parameter.grad.view(-1)
        i = int(grad.abs().argmax())
        centre = flat[i].item()
        with torch.no_grad():
            flat[i] = centre + step
            up = loss()
            flat[i] = centre - step
            down = loss()
            flat[i] = centre
        assert grad[i].item() == pytest.approx(((up - down) / (2 * step)).item(), rel=1e-5, abs=1e-7), name


def test_checkpointed_gradients_are_the_same_even_out_of_order():
    grads = []
    for checkpointing in (False, True):
        net = trained(network(torch.float64)).train()
        if checkpointing:
            net.enable_gradient_checkpointing()
        first = net(*inputs(1, 3, 8, 8, torch.float64), net.condition(*drags(1, 3), (8, 8))).sample
        second = net(*inputs(2, 2, 4, 4, torch.float64)).sample  # another number of frames in between
        first.square().sum().backward()
        second.square().sum().backward()
        grads.append({name: p.grad for name, p in net.named_parameters()})
    for name, grad in grads[0].items():
        torch.testing.assert_close(grads[1][name], grad, rtol=1e-9, atol=1e-10)


# --- Copies, files -------------------------------------------------------------------------------------------------
@torch.no_grad()
def test_a_copy_shares_nothing():
    net = trained(network())
    net.enable_gradient_checkpointing()
    args, conditioning = inputs(1, 3, 8, 8), net.condition(*drags(1, 3), (8, 8))
    wanted = net(*args, conditioning).sample
    twin = copy.deepcopy(net)
    contexts = {id(t.context) for t in twin.drag_transformers()} | {id(twin.context)}
    for transformer in twin.drag_transformers():
        contexts |= {id(transformer.transformer_blocks[0].attn1.processor.context)}
        contexts |= {id(transformer.temporal_transformer_blocks[0].attn2.processor.context)}
        contexts |= {id(transformer._gradient_checkpointing_func.keywords["context_fn"].__self__)}
    assert contexts == {id(twin.context)} and net.context is not twin.context
    for parameter in net.parameters():
        parameter.zero_()
    assert torch.equal(twin(*args, conditioning).sample, wanted)


@torch.no_grad()
def test_it_compiles_into_one_graph():
    net = trained(network())
    compiled, counters = torch.compile(net, fullgraph=True, backend="eager"), torch._dynamo.utils.counters
    torch._dynamo.reset()
    counters.clear()
    for seed in (1, 2):
        args, conditioning = inputs(1, 3, 8, 8, seed=seed), net.condition(*drags(1, 3, seed=seed), (8, 8))
        torch.testing.assert_close(compiled(*args, conditioning).sample, net(*args, conditioning).sample)
    assert counters["stats"]["unique_graphs"] == 1


# --- What is refused -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"attention": "none"}, "attention='none', expected one of all_to_first, spatial"),
        ({"modulation_channels": ()}, "no modulation_channels"),
        ({"token_positions": ("u", "w")}, "token_positions="),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        network(**settings)


def test_drags_of_other_videos_than_the_samples():
    net = network()
    with pytest.raises(ValueError, match="got drags of 2 videos of 3 frames, the sample has 3 of 2"):
        net(*inputs(3, 2, 8, 8), net.condition(*drags(2, 3), (8, 8)))
    with pytest.raises(ValueError, match="cannot be joined"):
        DragConditioning.cat([net.null_conditioning(1, 3, (8, 8)), net.null_conditioning(1, 4, (8, 8))])
