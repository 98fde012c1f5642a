"""The network: equal to SVD's where it must be, differentiable where it must be, and clear about what it refuses."""

import copy

import pytest
import torch
import torch.nn.functional as F
from diffusers import UNetSpatioTemporalConditionModel
from torch import nn

from puppetmaster_core.model import DragConditioning, DragUNet
from puppetmaster_core.model.attention import (
    ATTENTION_ARMS,
    all_to_first,
    all_to_first_reference,
    attend_folded,
    spatial,
)
from puppetmaster_core.model.modulation import DragModulation, Modulation, modulate
from puppetmaster_core.model.tokens import drag_positions, embed_points, sample_features
from puppetmaster_core.model.unet import halved

CROSS_DOWN, CROSS_UP = "CrossAttnDownBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"
TWO_LEVELS = {
    "in_channels": 6,
    "out_channels": 3,
    "down_block_types": (CROSS_DOWN, "DownBlockSpatioTemporal"),
    "up_block_types": ("UpBlockSpatioTemporal", CROSS_UP),
    "block_out_channels": (32, 64),
    "num_attention_heads": (2, 4),
    "layers_per_block": 1,
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 24,
    "cross_attention_dim": 16,
}
THREE_LEVELS = TWO_LEVELS | {
    "down_block_types": (CROSS_DOWN, CROSS_DOWN, "DownBlockSpatioTemporal"),
    "up_block_types": ("UpBlockSpatioTemporal", CROSS_UP, CROSS_UP),
    "block_out_channels": (32, 32, 64),
    "num_attention_heads": (2, 2, 4),
}
DRAGS = {"modulation_channels": (4, 8), "token_position_channels": 8, "max_drags": 3}
SHAPES = [(1, 1, 8, 8), (1, 3, 8, 8), (2, 14, 8, 8), (1, 25, 4, 6), (3, 3, 7, 10)]  # (B, N, h, w)


def network(dtype=torch.float32, levels=TWO_LEVELS, **settings) -> DragUNet:
    torch.manual_seed(0)
    net = DragUNet(**levels | DRAGS | settings)
    return nn.Module.to(net, dtype).eval()


# Re-draws what starts at zero, as if trained.
def trained(net: DragUNet) -> DragUNet:
    for layer in (module for module in net.modules() if isinstance(module, DragModulation)):
        nn.init.normal_(layer.conv_out.weight, std=0.1)
        nn.init.normal_(layer.conv_out.bias, std=0.1)
    return net


def inputs(batch, frames, h, w, dtype=torch.float32, seed=1):
    g = torch.Generator().manual_seed(seed)
    sample = torch.randn(batch, frames, 6, h, w, generator=g, dtype=dtype)
    return (
        sample,
        torch.randn(batch, generator=g, dtype=dtype),
        torch.randn(batch, 1, 16, generator=g, dtype=dtype),
        torch.rand(batch, 3, generator=g, dtype=dtype),
    )


def drags(batch, frames, present=(True, True, False), seed=2):
    g = torch.Generator().manual_seed(seed)
    points = torch.rand(batch, len(present), frames, 2, generator=g) * 1.4 - 0.2  # some leave the image
    return points, torch.tensor(present).expand(batch, -1)


class PlainAllToFirst:
    """All-to-first written for this test alone: every frame attends to frame 1 of its video."""

    def __init__(self, frames):
        self.frames = frames

    def __call__(self, attn, x, encoder_hidden_states=None, attention_mask=None):
        rows, length, channels = x.shape
        videos = rows // self.frames
        first = x.reshape(videos, self.frames, length, channels)[:, 0]
        q, k, v = (
            y.reshape(videos, -1, attn.heads, channels // attn.heads).transpose(1, 2)
            for y in (attn.to_q(x), attn.to_k(first), attn.to_v(first))
        )
        return attn.to_out[0](F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(rows, length, channels))


# SVD's own network with the weights of `net`, its spatial self-attention all-to-first.
def svd_like(net: DragUNet, frames: int, levels) -> UNetSpatioTemporalConditionModel:
    svd = UNetSpatioTemporalConditionModel(**levels)
    weights = {name: x for name, x in net.state_dict().items() if ".modulation." not in name and ".tokens." not in name}
    svd.load_state_dict(weights, strict=True)
    svd.set_attn_processor(
        {
            name: PlainAllToFirst(frames) if ".transformer_blocks" in name and ".attn1." in name else processor
            for name, processor in svd.attn_processors.items()
        }
    )
    return nn.Module.to(svd, net.conv_in.weight.dtype).eval()


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
    assert torch.equal(net(*args, conditioning).sample, wanted)


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


@torch.no_grad()
def test_ordinary_attention_is_svds_own():
    net = network(torch.float64, attention="spatial")
    svd = UNetSpatioTemporalConditionModel(**TWO_LEVELS).double().eval()
    net.load_state_dict(svd.state_dict(), strict=False)
    args = inputs(2, 3, 8, 8, torch.float64)
    assert torch.equal(net(*args).sample, svd(*args).sample)


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


@torch.no_grad()
def test_a_guided_pair_equals_its_halves():
    net = trained(network(torch.float64))
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


@torch.no_grad()
def test_maps_lie_on_the_grid_of_their_transformer():
    net = network(levels=THREE_LEVELS)
    maps = net.condition(*drags(2, 3), (7, 10)).maps
    assert [tuple(m.beta.shape[-2:]) for m in maps] == [(7, 10), (4, 5), (2, 3), (4, 5), (4, 5), (7, 10), (7, 10)]
    assert halved((7, 10), 2) == (2, 3)


def test_the_middle_may_go_without_drags():
    net = trained(network(torch.float64, modulate_mid=False))
    assert net.mid_block.attentions[0].modulation is None
    assert net.mid_block.attentions[0].tokens is None
    conditioning = net.condition(*drags(1, 3), (8, 8))
    assert [m is None for m in conditioning.maps] == [False, True, False, False]
    assert DragConditioning.cat([conditioning, conditioning]).to(dtype=torch.float32).maps[0].beta.shape[0] == 2
    net(*inputs(1, 3, 8, 8, torch.float64), conditioning)


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


def test_folding_needs_no_copy():
    q = torch.randn(6, 10, 2 * 4).unflatten(-1, (2, 4)).transpose(1, 2)  # as a layer gives it
    folded = q.unflatten(0, (2, 3)).transpose(1, 2).flatten(2, 3)
    assert folded.data_ptr() == q.data_ptr()
    assert attend_folded(q, q[:2], q[:2]).shape == q.shape


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
        contexts |= {id(transformer._gradient_checkpointing_func.context)}
    assert contexts == {id(twin.context)} and net.context is not twin.context
    for parameter in net.parameters():
        parameter.zero_()
    assert torch.equal(twin(*args, conditioning).sample, wanted)


def test_a_copy_can_be_made_after_a_training_step():
    net = network()
    net(*inputs(1, 3, 8, 8), net.condition(*drags(1, 3), (8, 8))).sample.sum().backward()
    copy.deepcopy(net)


@torch.no_grad()
def test_save_and_load(tmp_path):
    net = trained(network(token_positions=("u", "vn"), end_location=False))
    args = inputs(1, 3, 8, 8)
    wanted = net(*args, net.condition(*drags(1, 3), (8, 8))).sample
    net.save_pretrained(tmp_path)
    assert {file.suffix for file in tmp_path.iterdir()} == {".json", ".safetensors"}
    back = DragUNet.from_pretrained(tmp_path)
    assert dict(back.config)["end_location"] is False
    assert torch.equal(back(*args, back.condition(*drags(1, 3), (8, 8))).sample, wanted)


def test_svds_names_are_untouched():
    plain = set(UNetSpatioTemporalConditionModel(**TWO_LEVELS).state_dict())
    new = set(network().state_dict()) - plain
    assert plain < set(network().state_dict())
    assert all(".modulation." in name or ".tokens." in name for name in new)
    assert not any("context" in name for name in new)


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
        ({"drag_encoding": "mine"}, "drag_encoding='mine' given, wanted one of paper, released"),
        ({"attention": "none"}, "attention='none' given, wanted one of all_to_first, spatial"),
        ({"modulation": "scale"}, "modulation='scale' given"),
        ({"max_drags": 0}, "max_drags=0 given, wanted 1 or more"),
        ({"modulation_channels": ()}, "no modulation_channels given"),
        ({"token_positions": ("u", "w")}, "token_positions="),
        ({"token_position_channels": 6}, "wanted a multiple of 4"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        network(**settings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, x: (p[:, :, :, :1], x), "wanted \\(batch, drags, frames, 2\\)"),
        (lambda p, x: (p.repeat(1, 2, 1, 1), x.repeat(1, 2)), "6 drags given, .* at most 3: draw fewer"),
        (lambda p, x: (p, x.float()), "wanted torch.bool"),
        (lambda p, x: (p, x[:, :2]), "a truth value per drag"),
    ],
)
def test_drags_that_cannot_be(change, message):
    with pytest.raises(ValueError, match=message):
        network().condition(*change(*drags(1, 3)), (8, 8))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 3, 8, 4), "latent size \\(8, 8\\) given, the sample has \\(8, 4\\)"),
        ((1, 4, 8, 8), "frames 3 given, the sample has 4"),
        ((2, 3, 8, 8), "videos 1 given, the sample has 2"),
    ],
)
def test_conditioning_that_does_not_fit(shape, message):
    net = network()
    with pytest.raises(ValueError, match=message):
        net(*inputs(*shape), net.condition(*drags(1, 3), (8, 8)))


def test_latents_that_do_not_fit():
    net = network()
    sample, *rest = inputs(1, 3, 8, 8)
    with pytest.raises(ValueError, match="wanted \\(batch, frames, 6, h, w\\)"):
        net(sample[:, :, :4], *rest)
    with pytest.raises(ValueError, match=r"the network is torch\.float32"):
        net(sample.double(), *rest)
    times, embedding, ids = rest
    with pytest.raises(ValueError, match=r"encoder_hidden_states of shape \(1, 2, 16\) given, wanted \(1, 1, 16\)"):
        net(sample, times, embedding.repeat(1, 2, 1), ids)
    with pytest.raises(ValueError, match=r"added_time_ids of shape \(1, 2\) given, wanted \(1, 3\)"):
        net(sample, times, embedding, ids[:, :2])
    with pytest.raises(ValueError, match=r"timestep of shape \(2,\) given, wanted \(1,\)"):
        net(sample, times.repeat(2), embedding, ids)
    with pytest.raises(ValueError, match="cannot be joined"):
        DragConditioning.cat([net.null_conditioning(1, 3, (8, 8)), net.null_conditioning(1, 4, (8, 8))])


def test_arms_have_one_signature():
    q, k, v = torch.randn(3, 6, 2, 10, 4).unbind()
    for arm in ATTENTION_ARMS.values():
        assert arm.attend(q, k, v, 3).shape == q.shape
