"""Counterparts of the paper's figures: scenes are what their names say, and models differ in what was taken out and no more."""

import numpy as np
import pytest

from lib import exercises, scenes
from lib import paper_figures as paper
from puppetmaster_core import Drags
from puppetmaster_core.clips.displacement import moves


@pytest.fixture(scope="module")
def cabinet():
    (found,) = scenes.cabinets(1, 48, 5, parts=2)
    return found


# ---- scenes ----------------------------------------------------------------------------------------------------------


def test_unseen_cabinets_are_the_first_that_qualify(cabinet):
    first, second = scenes.cabinets(2, 48, 5)
    assert [first.clip.provenance["seed"], second.clip.provenance["seed"]] == [1_000_000, 1_000_001]
    assert len(cabinet.drags) >= 2 and cabinet.clip.provenance["seed"] >= 1_000_000
    assert np.array_equal(first.picture, first.clip.frames[0]) and first.drags.frames == 5


def test_objects_of_the_library_move_and_one_that_does_not_is_named():
    (fan,) = scenes.objects(["fan"], 48, 5)
    assert fan.name == "fan" and np.ptp(fan.drags.points, axis=1).max() > 0.02
    with pytest.raises(RuntimeError, match="static 0 to 19 were drawn"):
        scenes.objects(["static"], 16, 2)


def test_another_background_changes_what_the_object_does_not_cover(cabinet):
    other = scenes.over_background(cabinet, np.array((255, 0, 0)), "red")
    clear, solid = cabinet.clip.alpha[0] == 0, cabinet.clip.alpha[0] == 255
    assert (other.picture[clear] == (255, 0, 0)).all() and clear.any()
    assert np.array_equal(other.picture[solid], cabinet.picture[solid]) and other.drags is cabinet.drags


def test_drags_one_by_one_and_the_other_way(cabinet):
    sets = scenes.dragged_one_by_one(cabinet)
    assert len(sets) == len(cabinet.drags) + 1 and all(len(drags) == 1 for drags in sets.values())
    way, back = (np.diff(sets[name].points[0], axis=0) for name in ("drag 1 alone", "drag 1, the other way"))
    np.testing.assert_allclose(back, -way, atol=1e-6)


def test_the_whole_object_is_dragged_by_a_part_that_stays(cabinet):
    (path,) = scenes.whole_object_drag(cabinet).points
    column, row = (path[0] * 48).astype(int)
    part = cabinet.clip.part_ids[0, row, column]
    assert part >= 0 and part not in cabinet.clip.field_parts[moves(cabinet.clip.displacement)]
    np.testing.assert_allclose(path[-1] - path[0], (0.25, 0), atol=1e-6)


def test_a_thing_that_moves_as_a_whole_goes_where_the_drag_does():
    picture = np.full((20, 20, 3), 255, np.uint8)
    picture[4:8, 4:8] = 0
    scene = scenes.Scene("square", picture, Drags(np.linspace((0.3, 0.3), (0.8, 0.5), 3)[None]))
    frames = scenes.moved_as_a_whole(scene)
    assert np.array_equal(frames[0], picture)
    rows, columns = np.nonzero(frames[-1][..., 0] == 0)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (8, 11, 14, 17)


# ---- models ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, settings in paper.TAKEN_OUT.items() if settings])
def test_what_is_taken_out_is_all_that_differs(pipe, name):
    net = paper.without(pipe, **paper.TAKEN_OUT[name]).unet
    for key, value in paper.TAKEN_OUT[name].items():
        assert net.config[key] == value != pipe.unet.config[key]
    own = pipe.unet.state_dict()
    assert all((own[key] == tensor).all() for key, tensor in net.state_dict().items())
    gone = own.keys() - net.state_dict().keys()
    word = {"modulation": ".modulation.", "drag_tokens": ".tokens."}.get(next(iter(paper.TAKEN_OUT[name])))
    assert all(word in key for key in gone) and bool(gone) == bool(word)


# ---- drawings --------------------------------------------------------------------------------------------------------


def solution(videos):
    """The one in the notebook."""
    return videos[:, -1].astype(float).std(axis=0).mean(axis=-1)


def test_the_exercise_knows_right_from_wrong():
    assert "not answered" in exercises.spread_over_seeds(None)
    assert exercises.spread_over_seeds(solution) == "right: the standard deviation over seeds, mean over colours"
    assert exercises.spread_over_seeds(lambda v: solution(v) ** 2).startswith("right: not the standard deviation")
    assert exercises.spread_over_seeds(lambda v: v[:, -1].std(axis=0)).startswith("wrong shape: (5, 6, 3)")
    assert exercises.spread_over_seeds(lambda v: v.astype(float).std(axis=1).mean((0, -1))).startswith("not yet: in the top row")
    assert exercises.spread_over_seeds(lambda v: -solution(v)).startswith("not yet: wanted")
    assert paper.spread_map(None, []) is None
    (axis,) = paper.spread_map(solution, [np.zeros((2, 4, 4, 3), np.uint8), np.full((2, 4, 4, 3), 2, np.uint8)]).axes
    assert (axis.images[0].get_array() == 1).all()
