"""The chapter on curation: figures say what the report says, the exercise knows right from wrong, the plan adds up."""

import numpy as np
import pytest

from lib.costs import answers_cost, seconds_an_asset, simulate
from lib.exercises import try_rule
from lib.stand_in_judge import stand_in_judge
from procedural_library import GROUPS, make_asset
from puppetmaster_core.curation.judge import Judge
from puppetmaster_core.curation.judging import Judging
from puppetmaster_core.curation.metrics import motion_metrics
from puppetmaster_core.curation.pictures import quarters, strip, to_png


@pytest.fixture(scope="module")
def rows():
    names = [*(f"{kind}-000000" for kind in GROUPS["bad"]), "door-000000", "human-000000", "book-000000"]
    return [{"asset": name, "name": "move", "verdict": "animation", "stage": "forest", "probability": 0.5,
             **motion_metrics(make_asset(name.partition("-")[0], 0))} for name in names]


def solution(m):
    """The one in the notebook."""
    moves = m["affine_residual"] > 0.005
    calm = m["jerk"] < 1 and m["jump"] < 0.005
    return moves and calm and m["growth"] < 1.9 and m["mean_displacement"] < 0.2


def test_the_exercise_knows_right_from_wrong(rows):
    assert "not answered" in try_rule(None, rows, GROUPS["bad"])
    assert try_rule(solution, rows, GROUPS["bad"]).startswith("right")
    assert try_rule(lambda m: m["jerk"] < 1, rows, GROUPS["bad"]).startswith("not yet: explode")
    assert "only 0 %" in try_rule(lambda m: False, rows, GROUPS["bad"]).replace("0%", "0 %")


def test_a_simulated_run_by_hand():
    """100 assets of 36 s on 4 cores: 25 each, 900 s, and 36 s to start: 0.26 h; one core hour of work; judged at 0.4 an asset."""
    plan = simulate([36.0], 100, 4, dollars_a_core_hour=2.0, kept=0.4, dollars_an_answer=0.05, start=36.0)
    assert (plan.hours, plan.core_hours) == pytest.approx((0.26, 1.0))
    assert plan.dollars == pytest.approx(4 * 0.26 * 2 + 100 * 0.4 * 0.05)
    assert simulate([1, 5, None], 50, 3, dollars_a_core_hour=1) == simulate([1, 5], 50, 3, dollars_a_core_hour=1)
    with pytest.raises(ValueError, match="0 measured times"):
        simulate([], 10, 1, dollars_a_core_hour=1)


def test_costs_are_those_of_the_tables_and_the_bill():
    """Asset 0: 0.5 s to read and two animations of 1 and 2 s; asset 1 none; asset 2 could not be read."""
    assets = [{"number": 0, "cpu_seconds": 0.5}, {"number": 1, "cpu_seconds": 0.25}, {"number": 2, "cpu_seconds": None}]
    animations = [{"number": 0, "cpu_seconds": 1.0}, {"number": 0, "cpu_seconds": 2.0}]
    assert seconds_an_asset(assets, animations) == [3.5, 0.25]
    assert answers_cost({"answers": 4, "tokens_in": 4000, "tokens_out": 400}, 2.0, 10.0) == pytest.approx(0.003)
    with pytest.raises(ValueError, match="without answers"):
        answers_cost({"answers": 0, "tokens_in": 0, "tokens_out": 0}, 2.0, 10.0)


# ---- the stand-in judge ------------------------------------------------------------------------------------------------------


@pytest.fixture
def judged(tmp_path):
    """Five strips judged by the stand-in: doors that move, but the second stands still; the third answer is of no use."""
    (tmp_path / "pictures").mkdir()
    strips = []
    for i in range(5):
        pictures = quarters(make_asset("door", i), 0, 48)
        strips.append(tmp_path / "pictures" / f"{i:06d}-000.png")
        strips[-1].write_bytes(to_png(strip(np.stack([pictures[0]] * 4) if i == 1 else pictures)))
    with stand_in_judge() as environment:
        judging = Judging(tmp_path, Judge.from_environment(environment))
        judging.ask(strips)
    return tmp_path, [judging.answer(path) for path in strips]


def test_the_stand_in_follows_its_rule_and_errs_as_servers_do(judged):
    _, answers = judged
    assert [answer.get("realistic") for answer in answers] == [True, False, None, True, True]
    assert answers[0]["tries"] == 2 and "expected JSON" in answers[2]["error"]  # busy once
    assert all("a rule, no model" in answer["reason"] for answer in answers if "reason" in answer)
    assert all(answer["tokens_in"] > 1000 for answer in answers)
