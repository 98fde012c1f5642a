"""Every arm of Table 2 is a configuration value: each builds, trains, saves, and differs only where it should."""

import pytest
import torch
import torch.nn.functional as F
from networks import SHAPES, drags, inputs, network, trained

from puppetmaster_core.model import DragUNet
from puppetmaster_core.model.attention import ATTENTION_ARMS, SLOW_REFERENCES, static_reference
from puppetmaster_core.model.reference import CLEAN, beside_static_reference

DRAG_ARMS = {
    "A": {"modulation": "shift", "end_location": False, "drag_tokens": False},
    "B": {"modulation": "scale_shift", "end_location": False, "drag_tokens": False},
    "C": {"modulation": "scale_shift", "end_location": True, "drag_tokens": False},
    "D": {"modulation": "scale_shift", "end_location": True, "drag_tokens": True},
}
ATTENTION = ("spatial", "static_reference", "all_to_first")
ARMS = [settings | {"attention": "all_to_first"} for settings in DRAG_ARMS.values()]
ARMS += [DRAG_ARMS["C"] | {"attention": attention} for attention in ATTENTION[:2]]


@pytest.mark.parametrize("settings", ARMS, ids=lambda s: "-".join(map(str, s.values())))
def test_every_arm_trains_and_is_saved(settings, tmp_path):
    net = trained(network(torch.float64, **settings))
    args = inputs(2, 3, 8, 6, torch.float64)
    out = net(*args, net.condition(*drags(2, 3), (8, 6))).sample
    assert out.shape == (2, 3, 3, 8, 6)
    out.square().sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    with torch.no_grad():
        assert not torch.allclose(out, net(*args).sample)
        net.save_pretrained(tmp_path)
        assert {file.suffix for file in tmp_path.iterdir()} == {".json", ".safetensors"}
        back = DragUNet.from_pretrained(tmp_path, torch_dtype=torch.float64)
        torch.testing.assert_close(back(*args, back.condition(*drags(2, 3), (8, 6))).sample, out, rtol=0, atol=1e-12)
    assert {name: back.config[name] for name in settings} == settings


def test_the_drag_arms_grow_one_step_at_a_time():
    names = {arm: {name: tuple(p.shape) for name, p in network(**DRAG_ARMS[arm]).named_parameters()} for arm in "ABCD"}
    assert names["A"].keys() == names["B"].keys() == names["C"].keys() < names["D"].keys()
    changed = {name for name in names["A"] if names["A"][name] != names["B"][name]}
    assert changed and all("modulation.conv_out" in name for name in changed)  # only beta, then gamma and beta
    changed = {name for name in names["B"] if names["B"][name] != names["C"][name]}
    assert changed and all("modulation.conv_in.weight" in name for name in changed)  # 4, then 6 channels a drag
    assert all(".tokens." in name for name in names["D"].keys() - names["C"].keys())


@torch.no_grad()
def test_only_the_end_location_sees_the_end():
    for arm, sees in (("B", False), ("C", True)):
        net = trained(network(torch.float64, **DRAG_ARMS[arm]))
        points, present = drags(1, 3)
        other = points.clone()
        other[:, :, -1] = 1 - other[:, :, -1]
        first, second = (net.condition(p, present, (8, 8)).maps[0] for p in (points, other))
        assert (not torch.equal(first.beta[:, 0], second.beta[:, 0])) == sees  # frame 1 knows where drags end


# --- Attention with the reference ----------------------------------------------------------------------------------
@pytest.mark.parametrize("arm", ATTENTION[:2])  # Eq. 4 is in test_drag_layers.py
@pytest.mark.parametrize("frames", [1, 3])
def test_every_attention_arm_equals_its_slow_reference(arm, frames):
    g = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2 * frames, 3, 10, 4, generator=g, dtype=torch.float64).requires_grad_() for _ in range(3))
    weight = torch.randn(q.shape, generator=g, dtype=torch.float64)
    results = []
    for attend in (ATTENTION_ARMS[arm].attend, SLOW_REFERENCES[arm]):
        out = attend(q, k, v, frames)
        results.append((out, *torch.autograd.grad((out * weight).sum(), (q, k, v))))
    for fast, slow in zip(*results, strict=True):
        torch.testing.assert_close(fast, slow, rtol=0, atol=1e-12)


def test_both_branches_look_in_the_reference():
    q, k, v = torch.randn(3, 6, 2, 10, 4).unbind()  # one video of 3 frames, and its reference
    out = static_reference(q, k, v, 3)
    torch.testing.assert_close(out[:3], F.scaled_dot_product_attention(q[:3], k[3:], v[3:]))
    torch.testing.assert_close(out[3:], F.scaled_dot_product_attention(q[3:], k[3:], v[3:]))


def test_the_static_video_is_the_picture_in_every_frame():
    sample, timestep, embedding, ids = inputs(2, 3, 8, 8)
    sample[:, :, 3:] = sample[:, :1, 3:]
    both, times, *rest = beside_static_reference(sample, timestep, embedding, ids, channels=3, scale=0.5)
    assert torch.equal(both[:2], sample)
    assert torch.equal(both[2:, :, 3:], sample[:, :, 3:])
    assert torch.equal(both[2:, :, :3], 0.5 * sample[:, :, 3:])
    assert torch.equal(both[2:], both[2:, :1].expand_as(both[2:]))
    assert torch.equal(times, torch.cat([timestep, torch.full((2,), CLEAN)]))
    assert all(torch.equal(x.chunk(2)[0], x.chunk(2)[1]) for x in rest)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@torch.no_grad()
def test_the_reference_branch_is_an_ordinary_video_of_its_own(shape):
    net = network(torch.float64, attention="static_reference", reference_scale=1.0)
    args = inputs(*shape, torch.float64)
    plain = network(torch.float64, attention="spatial")
    plain.load_state_dict(net.state_dict())
    # seen as a video itself, the static reference attends to itself: that is SVD's network
    static = beside_static_reference(*args, channels=3, scale=1.0)
    reference = [x[shape[0] :] for x in static]
    torch.testing.assert_close(net(*reference).sample, plain(*reference).sample, rtol=0, atol=1e-12)
    assert not torch.allclose(net(*args).sample, plain(*args).sample)


@torch.no_grad()
def test_the_arms_have_the_same_parameters():
    shapes = [{n: p.shape for n, p in network(attention=arm).named_parameters()} for arm in ATTENTION]
    assert shapes[0] == shapes[1] == shapes[2]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"attention": "static_reference", "in_channels": 3}, "expected 6: noisy and image latents of 3 channels each"),
        ({"end_location": False}, "tokens read u and vn only"),
    ],
)
def test_arms_that_contradict_themselves(settings, message):
    with pytest.raises(ValueError, match=message):
        network(**settings)
