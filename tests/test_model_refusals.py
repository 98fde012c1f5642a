"""What the network refuses: settings, drags and latents that cannot be, each with one clear line."""

import pytest
from networks import THREE_LEVELS, drags, inputs, network

from puppetmaster_core.model import DragConditioning


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
        (lambda p, x: (p, None), "present as a NoneType given, wanted torch.bool"),
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


@pytest.mark.parametrize(
    ("settings", "count"), [({"levels": THREE_LEVELS}, 3), ({"max_drags": 2}, 2), ({"modulation": "none"}, 3)], ids=str
)
def test_the_conditioning_of_another_network(settings, count):
    points, present = drags(1, 3)
    other = network(**settings).condition(points[:, :count], present[:, :count], (8, 8))
    with pytest.raises(ValueError, match=rf"conditioning for {count} drags with maps of \[.*: make it with condition\(\) of"):
        network()(*inputs(1, 3, 8, 8), other)


def test_latents_that_do_not_fit():
    net = network()
    sample, *rest = inputs(1, 3, 8, 8)
    with pytest.raises(ValueError, match="wanted \\(batch, frames, 6, h, w\\)"):
        net(sample[:, :, :4], *rest)
    with pytest.raises(ValueError, match=r"the network is torch\.float32"):
        net(sample.double(), *rest)
    times, embedding, ids = rest
    with pytest.raises(ValueError, match=r"encoder_hidden_states of shape \(1, 2, 16\) and .* given, wanted \(1, 1, 16\)"):
        net(sample, times, embedding.repeat(1, 2, 1), ids)
    with pytest.raises(ValueError, match=r"added_time_ids of shape \(1, 2\) and .* given, wanted \(1, 3\)"):
        net(sample, times, embedding, ids[:, :2])
    with pytest.raises(ValueError, match=r"timestep of shape \(2,\) and .* given, wanted \(1,\)"):
        net(sample, times.repeat(2), embedding, ids)
    with pytest.raises(ValueError, match="cannot be joined"):
        DragConditioning.cat([net.null_conditioning(1, 3, (8, 8)), net.null_conditioning(1, 4, (8, 8))])
