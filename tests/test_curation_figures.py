"""The chapter on curation: figures say what the report says, the exercise knows right from wrong, the plan adds up."""

import numpy as np
import pytest

from lib.costs import answers_cost, seconds_an_asset, simulate
from lib.curation_figures import (
    decision_card,
    forest_figure,
    funnel_figure,
    labels_line,
    paper_funnel_figure,
    transcript,
)
from lib.exercises import try_rule
from lib.stand_in_judge import NAME, stand_in_judge
from procedural_library import GROUPS, make_asset
from puppetmaster_core.curation.forest import Forest
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


def test_the_funnel_shows_every_number():
    figure = funnel_figure({"metrics": {"in": 12, "out": 11, "not measurable": 1}, "forest": {"in": 11, "out": 7, "dropped": 4}})
    said = [text.get_text() for text in figure.axes[0].texts]
    assert said == ["12 → 11, not measurable 1", "11 → 7, dropped 4"]
    assert [bar.get_width() for bar in figure.axes[0].patches] == [11, 1, 7, 4]


def test_the_forests_figure_draws_what_it_says_of_itself():
    forest = Forest.load()
    precision_recall, calibration, importance = forest_figure(forest).axes
    np.testing.assert_array_equal(precision_recall.lines[0].get_ydata(), forest.about["curves"]["precision"])
    assert len(calibration.collections[0].get_offsets()) == len(forest.about["curves"]["reliability"])
    assert max(bar.get_width() for bar in importance.patches) == max(forest.about["importance"].values())
    for source, kinds in forest.about["labels"].items():  # every figure says whence its labels come
        assert f"{source} ({sum(kinds.values())})" in importance.figure.get_supxlabel()


def test_the_papers_funnel_is_in_its_own_numbers():
    said = [text.get_text() for text in paper_funnel_figure({"animation": 13222}).axes[0].texts]
    assert said[0].startswith("40000 → 16000") and said[1].startswith("16000 → 10000") and said[2] == "13222 → 13222"


def test_a_card_shows_pictures_verdict_and_reasons(rows):
    row = rows[0] | {"asset": "<b>static</b>", "verdict": "dropped"}
    html = decision_card(row, quarters(make_asset("static", 0), 0, 16), Forest.load()).data
    assert "data:image/png;base64," in html and "dropped" in html and "90 % of the good" in html
    assert "<b>static" not in html and "&lt;b&gt;static" in html and labels_line(Forest.load().about) in html


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


def test_a_transcript_shows_one_answer_of_each_kind_first(judged):
    folder, _ = judged
    html = transcript(folder, 3).data
    assert html.count("data:image/png;base64,") == 3 and html.count(f"{NAME} said:") == 3
    for words in ("realistic: a rule", "not realistic: a rule", "I would rather not say.", "2 tries"):
        assert words in html
    assert transcript(folder, 1).data.count("<figure>") == 1
