"""The exercises of the chapters: solutions are accepted, and near misses are told apart."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from lib import exercises
from lib.exercises import WAITING
from procedural_library import GROUPS, make_asset
from puppetmaster_core.clips.drag_sampling import displacement
from puppetmaster_core.curation.metrics import motion_metrics

SRC = Path(__file__).parents[1] / "notebooks" / "src"


def solution(chapter: str, name: str):
    """A function as a chapter's folded solution defines it."""
    text = "\n".join(line.removeprefix("#").removeprefix(" ") for line in (SRC / f"{chapter}.py").read_text().splitlines())
    blocks = [block for block in re.findall(r"^```python\n(.*?)^```", text, re.M | re.S) if f"def {name}(" in block]
    assert len(blocks) == 1
    scope = {"torch": torch}
    exec(blocks[0], scope)
    return scope[name]


@pytest.mark.parametrize("check, chapter, name", [
    (exercises.read_back, "01_drag_encoding", "my_reading"),
    (exercises.modulated, "02_drag_modulation_and_tokens", "my_modulation"),
    (exercises.own_all_to_first, "03_all_to_first_attention", "my_attention"),
])
def test_the_solutions_in_the_book_are_right(check, chapter, name):
    assert check(None) == WAITING
    assert check(solution(chapter, name)).startswith("right")


def test_cells_and_offsets_are_judged_by_their_definition():
    judge = exercises.cell_and_offset
    assert judge((0.3, 0.8), 16, (12, 4, 0.8, 0.8)).startswith("right")
    assert "rows come first" in judge((0.3, 0.8), 16, (4, 12, 0.8, 0.8))
    assert "what the whole part leaves" in judge((0.3, 0.8), 16, (12, 4, 0.2, 0.8))
    assert "whole part of s·y" in judge((0.3, 0.8), 16, (13, 5, 0, 0)) and "wanted four" in judge((0.3, 0.8), 16, (12, 4))


def test_a_reading_that_swaps_or_forgets_is_told_which():
    good = solution("01_drag_encoding", "my_reading")
    assert "swapped" in exercises.read_back(lambda maps, s: good(maps, s).flip(-1))
    assert "add the offset" in exercises.read_back(lambda maps, s: (good(maps, s) * s).floor() / s)
    assert "wrong shape" in exercises.read_back(lambda maps, s: good(maps, s).T)


def test_modulation_without_the_one_and_without_order():
    assert "come out as it went in" in exercises.modulated(lambda f, g, b: f * g + b)
    assert "one plus" in exercises.modulated(lambda f, g, b: (f + b) * (1 + g))
    assert "wanted a tensor" in exercises.modulated(lambda f, g, b: f[0])


def test_attention_to_oneself_is_not_all_to_first():
    each_to_itself = lambda q, k, v: torch.softmax(q @ k.transpose(-1, -2) / 8**0.5, -1) @ v  # noqa: E731
    assert "attends to itself" in exercises.own_all_to_first(each_to_itself)
    assert "mind √D" in exercises.own_all_to_first(lambda q, k, v: torch.softmax(q @ k[0].T, -1) @ v[0])
    assert "wrong shape" in exercises.own_all_to_first(lambda q, k, v: v[0])


def test_counts():
    assert exercises.keys_seen(3, 6).startswith("right") and "paper" in exercises.keys_seen(6, 6)
    assert "released" in exercises.keys_seen(3, 3)
    assert "right" in exercises.frames_that_change(3, {3}) and "right" in exercises.frames_that_change(1, {1, 2, 3, 4, 5})
    assert "not yet" in exercises.frames_that_change(1, {1})
    assert exercises.guidance_weight(1 + 4 * 7 / 13).startswith("right") and "steps between" in exercises.guidance_weight(3.0)
    assert "frame 1 has 1" in exercises.guidance_weight(5.0)
    assert exercises.network_calls(16, 16).startswith("right") and "two videos" in exercises.network_calls(10, 16)
    waiting = [exercises.keys_seen(None, None), exercises.frames_that_change(1, None), exercises.guidance_weight(None),
               exercises.network_calls(None, 3), exercises.cell_and_offset((0, 0), 4, None)]
    assert set(waiting) == {WAITING}


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


def kind_of(positions):
    """Which bad kind an animation is of, from its vertices (N, V, 3)."""
    some = positions[:, :: max(1, positions.shape[1] // 50)]
    way, apart = some - some[:1], np.linalg.norm(some[:, :, None] - some[:, None], axis=-1)
    if np.abs(way).max() < 1e-6:
        return "static"
    if np.abs(way - way[:, :1]).max() < 1e-4:
        return "translation"
    return "spin" if np.abs(apart - apart[:1]).max() < 1e-4 else "scaling"


def test_kinds_of_bad_animations():
    check = exercises.bad_kinds
    assert check(kind_of) == "All 20 are right." and "not answered" in check(None)
    assert check(lambda positions: "spin").startswith("5 of 20 are right; static")
    assert check(lambda positions: "jitter").startswith("'jitter' came")


def keeps(m):
    """As in the notebook."""
    calm = m["jerk"] < 1 and m["jump"] < 0.005
    return m["affine_residual"] > 0.005 and calm and m["growth"] < 1.9 and m["mean_displacement"] < 0.2


def test_a_rule_by_hand():
    names = [*(f"{kind}-000000" for kind in GROUPS["bad"]), "door-000000", "human-000000", "book-000000"]
    rows = [{"asset": name, "name": "move", "verdict": "animation", "stage": "forest", "probability": 0.5,
             **motion_metrics(make_asset(name.partition("-")[0], 0))} for name in names]
    assert "not answered" in exercises.try_rule(None, rows, GROUPS["bad"])
    assert exercises.try_rule(keeps, rows, GROUPS["bad"]).startswith("right")
    assert exercises.try_rule(lambda m: m["jerk"] < 1, rows, GROUPS["bad"]).startswith("not yet: explode")
    assert "only 0 %" in exercises.try_rule(lambda m: False, rows, GROUPS["bad"]).replace("0%", "0 %")


def spread(videos):
    """As in the notebook."""
    return videos[:, -1].astype(float).std(axis=0).mean(axis=-1)


def test_spread_over_seeds():
    check = exercises.spread_over_seeds
    assert "not answered" in check(None) and check(spread) == "right: the standard deviation over seeds, mean over colours"
    assert check(lambda v: spread(v) ** 2).startswith("right: not the standard deviation")
    assert check(lambda v: v[:, -1].std(axis=0)).startswith("wrong shape: (5, 6, 3)")
    assert check(lambda v: v.astype(float).std(axis=1).mean((0, -1))).startswith("not yet: in the top row")
    assert check(lambda v: -spread(v)).startswith("not yet: wanted")
