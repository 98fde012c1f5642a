"""What the network refuses: settings that cannot be, and what torch would take for something else."""

import pytest
from networks import drags, inputs, network

from puppetmaster_core.model import DragConditioning


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"drag_encoding": "mine"}, "drag_encoding='mine', expected one of paper, released"),
        ({"attention": "none"}, "attention='none', expected one of all_to_first, spatial"),
        ({"modulation": "scale"}, "modulation='scale'"),
        ({"max_drags": 0}, "max_drags=0, expected 1 or more"),
        ({"modulation_channels": ()}, "no modulation_channels"),
        ({"token_positions": ("u", "w")}, "token_positions="),
        ({"token_position_channels": 6}, "expected a multiple of 4"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        network(**settings)


def test_drags_of_other_videos_than_the_samples():
    net = network()
    with pytest.raises(ValueError, match="got drags of 2 videos of 3 frames, the sample has 3 of 2"):
        net(*inputs(3, 2, 8, 8), net.condition(*drags(2, 3), (8, 8)))


def test_drags_of_different_lengths_are_not_joined():
    net = network()
    with pytest.raises(ValueError, match="cannot be joined"):
        DragConditioning.cat([net.null_conditioning(1, 3, (8, 8)), net.null_conditioning(1, 4, (8, 8))])
