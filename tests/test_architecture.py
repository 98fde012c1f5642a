"""The drawing of the network says what the network is."""

import pytest
import torch
from networks import TWO_LEVELS, drags, inputs, network

from lib.architecture import stations
from puppetmaster_core.bench import Problem

FULL = ("residual", "modulation", "all_to_first", "tokens", "time")


def problem_of(levels=TWO_LEVELS, **settings) -> Problem:
    """A network and inputs for its two branches, on a grid of 8 × 6."""
    net = network(levels=levels, **settings)
    sample, _, embedding, time_ids = inputs(2, 3, 8, 6)
    points, present = drags(1, 3)
    return Problem(net, (sample, torch.ones(()), embedding, time_ids), points, present, False)


def test_blocks_have_the_layers_grids_and_sizes_of_the_network():
    one = problem_of()
    found = {station.name: station for station in stations(one)}
    assert list(found) == ["down 1", "down 2", "middle", "up 1", "up 2"]
    assert [(s.channels, s.grid, s.level) for s in found.values()] == [
        (32, (8, 6), 0), (64, (4, 3), 1), (64, (4, 3), 1), (64, (4, 3), 1), (32, (8, 6), 0)]
    assert found["down 1"].layers == (FULL,) and found["up 2"].layers == (FULL, FULL)
    assert found["down 2"].layers == (("residual",),) and found["middle"].layers == (("residual",), (*FULL[1:], "residual"))
    blocks = [*one.net.down_blocks, one.net.mid_block, *one.net.up_blocks]
    assert [s.parameters for s in found.values()] == [sum(p.numel() for p in block.parameters()) for block in blocks]
    added = sum(p.numel() for name, p in one.net.named_parameters() if ".modulation." in name or ".tokens." in name)
    assert sum(s.new for s in found.values()) == added > 0 == found["down 2"].new


@pytest.mark.parametrize("settings, layer", [
    ({"modulation": "none"}, ("residual", "all_to_first", "tokens", "time")),
    ({"drag_tokens": False}, ("residual", "modulation", "all_to_first", "picture", "time")),
    ({"attention": "spatial"}, ("residual", "modulation", "spatial", "tokens", "time")),
])
def test_what_a_network_lacks_is_not_drawn(settings, layer):
    assert stations(problem_of(**settings))[0].layers == (layer,)
