"""The drawing of the network says what the network is."""

import pytest
import torch
from networks import THREE_LEVELS, TWO_LEVELS, drags, inputs, network

from lib.architecture import KINDS, architecture, drawn, stations
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


def test_a_tile_for_every_layer_and_a_legend_for_what_there_is():
    found = stations(problem_of(THREE_LEVELS, modulation="none"))
    (axis,) = architecture(found, "a title").axes
    said = [text.get_text() for text in axis.texts]
    letters = [KINDS[kind][0] for one in found for layer in one.layers for kind in layer]
    legend = [words for _, _, words in KINDS.values() if words in said]
    assert "a title" in said and KINDS["modulation"][2] not in legend and len(legend) == 4
    assert sum(len(words) == 1 for words in said) == len(letters) + len(legend)
    assert {"8 × 6", "2 × 2", "32 ×", "64 ×"} <= set(said)


def test_the_title_tells_what_goes_in_and_out():
    one = problem_of()
    (axis,) = drawn(one, stations(one), "small").axes
    title = next(text.get_text() for text in axis.texts if text.get_text().startswith("small"))
    assert "3 frames of 6 × 8 × 6 go in" in title and "3 × 8 × 6 come out" in title
