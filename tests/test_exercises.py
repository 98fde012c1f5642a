"""The exercises of the network's chapters: the solutions in the book are accepted, and near misses are told apart."""

import re
from pathlib import Path

import pytest
import torch

from lib import exercises
from lib.exercises import WAITING

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
