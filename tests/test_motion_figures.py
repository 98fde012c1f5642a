"""The book's drawings of motion: what colours mean, and which of its own figures stand beside the ceilings."""

import numpy as np

from lib import motion_figures as figures


def test_rest_is_white_direction_is_hue_and_length_is_strength():
    field = np.zeros((1, 4, 2))
    field[0, 1:, :] = (0.2, 0.0), (0.1, 0.0), (-0.2, 0.0)
    rest, right, half, left = figures.coloured(field)[0]
    np.testing.assert_allclose(rest, 1)
    np.testing.assert_allclose(right, (1, 0, 0), atol=1e-9)
    np.testing.assert_allclose(half, (1, 0.5, 0.5), atol=1e-9)
    np.testing.assert_allclose(left, (0, 1, 1), atol=1e-9)  # the opposite hue


def test_our_own_rows_are_those_of_motion_models_on_cabinets():
    means = {"static copy": 9.0, "exact motion": 20.5, "exact latents": 19.0, "model": 17.25}
    told = {row: {"moving": {"mean": value}} for row, value in means.items()}
    records = {"a.json": {"model": "m", "kinds": "cabinets", "summary": told},
               "b.json": {"model": "m", "kinds": "all", "summary": told},
               "c.json": {"model": "old", "summary": {"model": {"moving": {"mean": 14.0}}}}, "d.json": {"rows": []}}
    own = figures.own_rows(records)
    assert list(own.values()) == [*means.values()] and all("m, judged clips" in name for name in own)
    bars = figures.ceilings(own).axes[0]
    assert [label.get_text() for label in bars.get_yticklabels()] == [*figures.CEILINGS, *own]
