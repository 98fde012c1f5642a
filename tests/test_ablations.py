"""The grid of arms: what a user relies on, on runs of one step. A clip's truth and its static copy are the judge's oracles."""

import json

import numpy as np
import pytest
import torch

from puppetmaster_core.ablations import judge, tables
from puppetmaster_core.ablations.arms import AblationError, chosen
from puppetmaster_core.ablations.grid import Grid, Size, read_strip
from puppetmaster_core.evaluation.metrics import static_copy
from puppetmaster_core.latents.linear import LinearCode

SIZE = Size(steps=1, clips=8, judged=4, pretraining=1)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Clips, once."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def grid(work, tmp_path_factory):
    made = Grid(tmp_path_factory.mktemp("results"), work, SIZE)
    assert [new for _, new in made.run(chosen(arms=["A", "D"]), [0])] == [True, True]
    return made


def test_a_linear_code_keeps_the_leading_components():
    pictures = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    whole = LinearCode.of(pictures, 48, patch=4)
    torch.testing.assert_close(whole.decode(whole.encode(pictures)), pictures, atol=1e-5, rtol=0)
    few = LinearCode.of(pictures, 5, patch=4)
    patches = torch.nn.functional.pixel_unshuffle(pictures, 4).movedim(1, -1).flatten(0, -2).double().numpy()
    lost = np.linalg.svd(patches - patches.mean(0), compute_uv=False)[5:]  # what no five numbers can hold
    error = (few.decode(few.encode(pictures)) - pictures).double().square().sum()
    np.testing.assert_allclose(error, np.square(lost).sum(), rtol=1e-4)


def test_the_judge_knows_the_truth_from_a_static_copy(grid):
    for clip in grid.judged:
        true, still = judge.judge_video(clip.frames, clip), judge.judge_video(static_copy(clip.frames), clip)
        found = [true[name] for name in ("right", "travel", "end_point_error", "motion_error_foreground")]
        assert found == pytest.approx([100, 1, 0, 0], abs=0.01)
        assert still["right"] == 0 and still["end_point_error"] > 5
        late = judge.judge_video(clip.frames[[0, 0, 1, 2, 3]], clip)
        assert late["right"] == 100 and 0 < late["travel"] < 1 and 0 < late["end_point_error"] < still["end_point_error"]
        assert true["off_place"] == still["off_place"] == 0 or np.isnan(true["off_place"])


def test_a_second_run_of_an_arm_gives_the_same_numbers_and_what_is_done_stays(grid, tmp_path):
    again = Grid(tmp_path, grid.work, SIZE)
    assert [new for _, new in again.run(chosen(arms=["D"]), [0])] == [True]
    first, second = (json.loads(one.path("D", 0).read_text()) for one in (grid, again))
    assert [first[name] for name in ("scores", "curve")] == [second[name] for name in ("scores", "curve")]
    assert [new for _, new in again.run(chosen(arms=["D"]), [0])] == [False]
    assert read_strip(again.results / "D-0.webp").shape == (4, 5, 64, 64, 3)


def test_every_kind_of_arm_runs(grid):
    arms = chosen(arms=["none-pretrained", "static-nothing", "bad-38", "single-frames", "entity-maps", "soft-copies"])
    assert all(new for _, new in grid.run(arms, [1]))
    frames = json.loads((grid.results / "pretraining.json").read_text())["frames"]
    assert {len(values) for values in frames.values()} == {5}


def test_a_changed_setting_is_refused(grid):
    other = Grid(grid.results, grid.work, Size(steps=2, clips=8, judged=4, pretraining=1))
    with pytest.raises(AblationError, match="was made with steps=1, this grid has 2: use the same settings"):
        next(other.run(chosen(arms=["A"]), [0]))


def test_a_table_says_what_it_lacks(grid):
    loaded = tables.load_runs(grid.results)
    said = tables.table_text(loaded, "drags", ("right",))
    assert "not run: no-drags, B, C" in said and "A: seeds 1 of 3" in said and "static copy" in said
    settled = tables.result(loaded, "a command")
    assert settled["orderings"]["table2.right_way"]["seeds"] == [0]
    assert {"id": "table2.right_way", "scale": "ablation", "note": "seeds 1 of 3"}.items() <= next(
        claim for claim in settled["claims"] if claim["id"] == "table2.right_way").items()


def test_orderings_are_settled_by_pairs():
    level = np.random.default_rng(0).normal(0, 50, 60)  # clips differ far more than arms

    def runs(gain):
        noise = np.random.default_rng(1).normal(0, 1, (2, 60))
        return {seed: {"scores": {"right": (level + gain + noise[seed]).tolist()}} for seed in (0, 1)}

    one = tables.Ordering("x", "D over A", "D", "A", "right")
    verdicts = [tables.order({"A": runs(0), "D": runs(gain)}, one)["verdict"] for gain in (3, -3)]
    assert verdicts == ["holds", "does not"]
    loud = {seed: {"scores": {"right": np.random.default_rng(seed + 5).normal(0, 50, 60).tolist()}} for seed in (0, 1)}
    assert tables.order({"A": runs(0), "D": loud}, one)["verdict"] == "unresolved"
    assert tables.order({"A": runs(0)}, one) is None
