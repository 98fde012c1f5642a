"""Drags drawn over frames: where the ink goes."""

import numpy as np
import pytest
from PIL import ImageColor

from puppetmaster_core.drags import Drags
from puppetmaster_core.overlay import COLOURS, overlay_drags

FIRST = np.array(ImageColor.getrgb(COLOURS[0]))


def straight(*ends, frames=5):
    """Straight drags from and to points of the unit square."""
    time = np.linspace(0, 1, frames)[:, None]
    return Drags([(1 - time) * np.array(start) + time * np.array(end) for start, end in ends])


def test_dot_follows_the_drag_and_the_arrow_stays():
    black = np.zeros((5, 100, 200, 3), dtype=np.uint8)
    drawn = overlay_drags(black, straight(((0.25, 0.5), (0.75, 0.5))))
    assert drawn.shape == black.shape and drawn.dtype == np.uint8 and not black.any()
    middle, above = 50, 48  # 2 pixels above the line only the dot has the drag's colour
    for n, x in enumerate((50, 75, 100, 125)):
        np.testing.assert_array_equal(drawn[n, above, x], FIRST)
        coloured = np.flatnonzero((drawn[n, above] == FIRST).all(axis=1))
        assert all(abs(column - x) < 4 or column > 140 for column in coloured)  # from 145 on, the head
    assert drawn[:, middle, 50:145].any(axis=2).all()  # the shaft
    assert not drawn[:, :40].any() and not drawn[:, :, :40].any() and not drawn[:, :, 160:].any()


def test_edges_are_smooth_and_each_drag_has_its_colour():
    frames = np.zeros((1, 128, 128, 3), dtype=np.uint8)
    ends = [((0.1, 0.1 + 0.15 * k), (0.8, 0.25 + 0.15 * k)) for k in range(5)]
    drawn = overlay_drags(frames, straight(*ends))[0].reshape(-1, 3)
    for colour in COLOURS:
        assert (drawn == ImageColor.getrgb(colour)).all(axis=1).sum() > 20
    assert len(np.unique(drawn, axis=0)) > 50


@pytest.mark.parametrize("end", [(0.5, 0.5), (0.501, 0.5), (100.0, -99.0), (-3.0, 0.5)])
def test_drags_that_stand_still_or_leave_the_picture(end):
    frames = np.full((3, 64, 64, 3), 128, dtype=np.uint8)
    drawn = overlay_drags(frames, straight(((0.5, 0.5), end)))
    np.testing.assert_array_equal(drawn[0, 32, 32], FIRST)


def test_a_closed_path_still_gets_a_head():
    turn = np.linspace(0, 2 * np.pi, 14)
    circle = 0.5 + 0.3 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    frames = np.zeros((14, 128, 128, 3), dtype=np.uint8)
    still = np.repeat(circle[:1], 14, 0)
    with_head, dots = ((overlay_drags(frames, Drags([path])) == FIRST).all(axis=3).sum() for path in (circle, still))
    assert with_head > dots
