"""The figures of the network's chapters show the encoding, the weights and the shares that they are given."""

import numpy as np
import pytest

from lib import network_figures as figures
from puppetmaster_core.drags import Drags

WHITE = np.full((64, 64, 3), 255, np.uint8)
DRAG = Drags([np.linspace((0.30, 0.40), (0.90, 0.40), 5)])


@pytest.mark.parametrize("convention, first", [
    ("paper", ("u, h: 0.60", "u, w: 0.20")), ("released", ("u, x: 0.20", "u, y: 0.60"))])
def test_titles_tell_the_offsets_of_the_cell_in_the_conventions_order(convention, first):
    """u = (0.30, 0.40) on a grid of 4: x is 1.2 and y 1.6 cells in."""
    axes = figures.encoding_levels(WHITE, DRAG, [4, 2], 3, convention).axes
    assert tuple(axis.get_title() for axis in axes[1:3]) == first
    ring = axes[1].patches[0]
    assert int(ring.get_x() + 0.5) == 1 and int(ring.get_y() + 0.5) == 1  # column 1, row 1
    assert axes[7].get_ylabel() == "s = 2"


def test_only_the_present_place_walks():
    axes = np.array(figures.encoding_frames(DRAG, 10, count=5).axes).reshape(3, 5)
    columns = [[int(axis.patches[0].get_x()) for axis in row] for row in axes]
    assert columns[0] == columns[0][:1] * 5 and columns[2] == columns[2][:1] * 5 and columns[1] == sorted(columns[1])
    assert columns[1][-1] == columns[2][0] > columns[1][0] == columns[0][0]


def test_modulation_maps_keep_one_scale_over_frames_and_name_each_maximum():
    beta = np.zeros((5, 4, 4))
    beta[0, 1, 1], beta[4, 1, 3] = 0.25, 0.5
    figure = figures.modulation_maps(["down s"], [{"beta": beta}], DRAG, [1, 5])
    assert [axis.images[0].get_clim() for axis in figure.axes] == [(0, 0.5)] * 2
    assert [axis.texts[0].get_text() for axis in figure.axes] == ["max 0.25", "max 0.50"]
    assert [axis.get_ylabel() for axis in figure.axes] == ["β, frame 1", "β, frame 5"]


def test_shares_add_up_to_one_and_absent_drags_have_their_own_part():
    (axis,) = figures.key_shares(["a", "b"], {"masked": np.array([[0.5, 0.25, 0.25], [0.2, 0.6, 0.2]])}, 1).axes
    widths = np.array([bar.get_width() for bar in axis.patches]).reshape(3, 2)
    np.testing.assert_allclose(widths, [[0.5, 0.2], [0.25, 0.6], [0.25, 0.2]])
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["picture", "drags", "absent drags"]


def test_attention_marks_where_it_is_asked_and_how_strong_the_answer_is():
    weights = np.full((5, 2, 2), 0.25)
    weights[4] = [[0.7, 0.1], [0.1, 0.1]]
    figure = figures.attention_into_first(WHITE, np.stack([WHITE] * 5), ["down s"], [weights], DRAG.points[0], [1, 5], (0.3, 0.4))
    asks, answer = figure.axes[2:]
    assert asks.lines[0].get_xdata()[0] == pytest.approx(0.9) and answer.get_title() == "up to 70%"
    assert answer.images[1].get_array().max() == pytest.approx(0.7) and answer.lines[0].get_xdata()[0] == pytest.approx(0.3)
