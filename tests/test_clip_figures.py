"""The figures and exercises of the chapter on clips: colours that mean what the text says, and answers judged rightly."""

import numpy as np
import pytest

from lib import clip_figures, exercises, tables
from procedural_library import make_asset
from puppetmaster_core import Drags
from puppetmaster_core.clips.rules import displacement
from puppetmaster_core.overlay import COLOURS


@pytest.fixture(scope="module")
def cabinet():
    """Cabinet 42, in which three doors move, with its vertices at 5 times (N, V, 3)."""
    asset = make_asset("cabinet", 42)
    return asset, np.stack([asset.vertices(0, t) for t in asset.sample_times(0, 5)])


# ---- figures ---------------------------------------------------------------------------------------------------------


def test_moving_parts_have_colours_and_still_ones_are_grey(cabinet):
    asset, positions = cabinet
    moving = [joint.moves for joint in asset.joints]
    given = clip_figures.part_colours(asset, positions)
    assert [colour != clip_figures.STILL for colour in given] == moving
    assert [colour for colour, moves in zip(given, moving, strict=True) if moves] == list(COLOURS[: sum(moving)])


def test_way_of_a_part_is_that_of_its_farthest_vertex(cabinet):
    """A door that turns by θ takes its edge, w from the hinge, 2 w sin(θ / 2) away."""
    asset, positions = cabinet
    way = clip_figures.travelled(asset, positions)
    side = np.ptp(positions[0], axis=0).max()
    for part, joint in enumerate(asset.joints):
        if joint.moves:
            own = np.unique(asset.faces[asset.submodel == part])
            arm = asset.rest[own] - np.array(joint.origin)
            radius = np.linalg.norm(arm - (arm @ joint.axis)[:, None] * np.array(joint.axis), axis=1).max()
            chord = 2 * radius * np.sin(abs(joint.end - joint.start) / 2) / side
            assert way[part, -1] == pytest.approx(chord, rel=1e-6)
        else:
            assert not way[part].any()


def test_table_of_parts_says_what_moves_and_escapes_names(cabinet):
    asset, positions = cabinet
    said = tables.parts_table(asset, positions).data
    assert said.count("<td>moves</td>") == sum(joint.moves for joint in asset.joints) == 3
    assert said.count("<tr>") == 1 + len(asset.submodels)
    assert "<td>&lt;b&gt;</td><td>0.33</td><td>2</td>" in tables.table(("a", "b", "c"), [("<b>", 1 / 3, 2)]).data


def test_part_picture_and_depth_picture():
    ids = np.array([[-1, 0], [1, 1]])
    picture = clip_figures.part_picture(ids, ["#0072B2", "#D55E00"])
    assert [tuple(p) for p in picture.reshape(-1, 3)] == [(255, 255, 255), (0, 114, 178), (213, 94, 0), (213, 94, 0)]
    near, far, behind = clip_figures.depth_picture(np.array([[1.0, 3.0, np.inf]]), 1.0, 3.0)[0].astype(int)
    assert near.sum() > far.sum() and tuple(behind) == (255, 255, 255)


def test_a_film_of_an_asset_shows_its_whole_motion(cabinet):
    film = clip_figures.film_of(cabinet[0], 48, 3)
    assert film.shape == (3, 48, 48, 3) and (film[0] != film[-1]).any()
    rim = np.concatenate([film[:, 0], film[:, -1], film[:, :, 0], film[:, :, -1]], axis=1)
    assert (rim == 255).all(), "nothing of it is cut off"


def test_a_film_of_tracks_has_every_frame_and_the_parts_colours():
    frames = np.full((4, 32, 32, 3), 255, np.uint8)
    tracks = np.array([[[0.2, 0.5], [0.4, 0.5], [0.6, 0.5], [0.8, 0.5]]], np.float32)
    visibility = np.array([[True, True, False, False]])
    shown = clip_figures.riding(frames, tracks, visibility, ["#0072B2"], Drags(np.full((1, 4, 2), 0.1)), alt="dots")
    (film,) = shown.films
    assert film["count"] == 4 and film["alt"] == "dots" and shown.show_tracks
    assert film["visibility"] == visibility.tolist() and film["track_colours"] == ["#0072B2"]
    assert np.allclose(film["tracks"], tracks, atol=1e-5) and film["drag_colours"] == list(COLOURS)


# ---- exercises -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gap", "said"), [
    (None, "not answered"), (4.0, "too little"), (20.0, "too much"), (280**0.5, "too much"), (20**0.5, "right"),
])
def test_gap_between_drags(gap, said):
    """Squared distance summed over N frames: N · gap² ≤ 20 N is near, so the gap is √20 = 4.47 px."""
    assert exercises.near_drags(gap).startswith(said)


def share(weight):
    return weight / weight.sum()


@pytest.mark.parametrize(("answer", "said"), [
    (None, "not answered"),
    (displacement, "not yet: the chances add up"),
    (lambda world: share(np.linalg.norm(world[-1] - world[0], axis=-1)), "not yet: point 2"),
    (lambda world: share((np.diff(world, axis=0) ** 2).sum((0, 2))), "not yet: wanted in proportion"),
    (lambda world: np.full(14, 1 / 14), "wrong shape"),
    (lambda world: np.full(6, np.nan), "wrong: a chance"),
    (lambda world: share(displacement(world)), "right"),
])
def test_chances_of_points(answer, said):
    assert exercises.point_chances(answer).startswith(said)
