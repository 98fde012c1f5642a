"""What the book's figures say of the network's inside is what the network computes."""

from dataclasses import replace

import pytest
import torch
from networks import drags, inputs, network, trained

from lib import probes
from puppetmaster_core.drags import Drags
from puppetmaster_core.model.attention import first_frames


@pytest.mark.parametrize("attention", ["all_to_first", "spatial"])
@torch.no_grad()
def test_weights_times_values_are_what_the_layers_give(attention):
    net = trained(network(torch.float64, attention=attention))
    layer, given = net.drag_transformers()[0], {}
    block = layer.transformer_blocks[0]
    for name, attn in (("frame", block.attn1), ("token", block.attn2)):
        attn.to_v.register_forward_hook(lambda m, a, result, name=name: given.update({f"{name} v": result}))
        attn.to_out[0].register_forward_hook(lambda m, a, result, name=name: given.update({f"{name} in": a[0]}))
    with probes.watching(net) as passes:
        net(*inputs(2, 3, 8, 6, torch.float64), net.condition(*drags(2, 3), (8, 6)))
    (glimpses,) = passes
    one = glimpses[0]
    assert one.size == (8, 6) and len(glimpses) == len(net.drag_transformers())
    for name, weights in (("frame", one.frame_weights()), ("token", one.token_weights())):
        rows = 1 if name == "frame" and attention == "all_to_first" else 3
        value = given[f"{name} v"][-rows:].unflatten(-1, (one.heads, -1)).transpose(1, 2)
        torch.testing.assert_close((weights @ value).transpose(1, 2).flatten(2), given[f"{name} in"][-3:], rtol=0, atol=1e-12)


@torch.no_grad()
def test_a_guided_step_shows_the_video_with_drags_and_its_absent_drags_unseen():
    net = trained(network(torch.float64))
    one = [x[:1] for x in drags(2, 3)]
    both = net.null_conditioning(1, 3, (8, 8)).cat([net.null_conditioning(1, 3, (8, 8)), net.condition(*one, (8, 8))])
    args = inputs(2, 3, 8, 8, torch.float64)
    with probes.watching(net) as passes:
        net(*args, both)
        net(*(x[1:] for x in args), net.condition(*one, (8, 8)))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
    guided, alone = (glimpses[-1] for glimpses in passes)
    torch.testing.assert_close(guided.token_weights(), alone.token_weights(), rtol=0, atol=1e-12)
    torch.testing.assert_close(guided.after, alone.after, rtol=0, atol=1e-12)
    torch.testing.assert_close(guided.frame_weights(), alone.frame_weights(), rtol=0, atol=1e-12)
    weights = alone.token_weights()
    assert weights.shape[-1] == 1 + 3 and (weights[..., 3] == 0).all() and (weights[..., :3] > 0).all()  # the third is absent
    assert first_frames(guided.query, 3).shape[0] == 1


@torch.no_grad()
def test_without_drags_cross_attention_is_spared_and_passes_are_forgotten_in_turn():
    net = network(torch.float64)
    with probes.watching(net, keep=2) as passes:
        for _ in range(3):
            net(*inputs(1, 3, 8, 8, torch.float64), net.null_conditioning(1, 3, (8, 8)))
    assert len(passes) == 2 and passes[0][0].token_weights() is None
    with pytest.raises(ValueError, match="wanted an arm with one branch"), probes.watching(network(attention="static_reference")):
        pass


@torch.no_grad()
def test_a_path_asks_from_its_cells_and_an_even_look_is_one_share():
    net = network(torch.float64)
    with probes.watching(net) as passes:
        net(*inputs(1, 3, 8, 6, torch.float64), net.null_conditioning(1, 3, (8, 6)))
    one = passes[0][0]  # 8 × 6 places
    path = [[0.0, 0.0], [0.99, 0.0], [0.5, 0.99]]
    looked, weights = probes.weights_of(one, path), one.frame_weights().mean(1)
    for n, number in enumerate((0, 5, 7 * 6 + 3)):
        torch.testing.assert_close(looked[n].flatten(), weights[n, number])
    torch.testing.assert_close(probes.weight_at(one, path, (0.99, 0.0)), 48 * looked[:, 0, 5])
    even = replace(one, query=torch.zeros_like(one.query))
    torch.testing.assert_close(probes.weight_at(even, path, (0.3, 0.3)), torch.ones(3, dtype=torch.float64))


def test_modulation_changes_near_the_drags_only_and_not_at_all_before_training():
    drag = Drags([[[0.05, 0.05]] * 3])
    assert all(not change["gamma"].any() and not change["beta"].any()
               for change in probes.modulation_change(network(), drag, (16, 16)))
    first, *_ = probes.modulation_change(trained(network()), drag, (16, 16))
    assert first["beta"].shape == (3, 16, 16) and first["beta"][:, 0, 0].all()
    assert not first["beta"][:, 5:].any() and not first["gamma"][..., 5:].any()  # four convolutions reach four cells
    (shift, *_) = probes.modulation_change(trained(network(modulation="shift")), drag, (16, 16))
    assert shift.keys() == {"beta"}
