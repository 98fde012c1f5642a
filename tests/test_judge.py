"""The realism judge against a server on this machine that misbehaves in every way the network knows."""

import base64
import json
from dataclasses import replace

import numpy as np
import pytest
from fake_judge import FakeJudge, serving
from jsonschema import ValidationError, validate

from procedural_library import make_asset
from puppetmaster_core.cli import main
from puppetmaster_core.curation.judge import KEY, MODEL, PROMPT, SCHEMA, URL, Judge, JudgeError, MalformedAnswer, parse_answer
from puppetmaster_core.curation.judging import BudgetSpent, Judging, Price
from puppetmaster_core.curation.pictures import front_camera, quarters, strip, to_png, unstrip
from puppetmaster_core.curation.tables import read_rows

SECRET = "sk-very-secret-1234"
PICTURES = [to_png(np.full((8, 8, 3), grey, np.uint8)) for grey in (0, 80, 160, 240)]


def judge_of(server, **options):
    waits = []
    return Judge(server.url, "eyes-1", SECRET, sleep=waits.append, **options), waits


def strips(folder, count):
    out = []
    for i in range(count):
        path = folder / f"{i:06d}-000.png"
        path.write_bytes(to_png(np.full((8, 32, 3), 10 * i, np.uint8)))
        out.append(path)
    return out


# ---- one question ----------------------------------------------------------------------------------------------------------


def test_one_request_with_four_pictures_and_a_schema():
    with serving(FakeJudge()) as server:
        judge, waits = judge_of(server)
        reply = judge.ask(PICTURES)
    [body] = server.heard
    assert server.paths == ["/v1/chat/completions"] and server.keys == [f"Bearer {SECRET}"] and waits == []
    words, *shown = body["messages"][0]["content"]
    assert words["text"] == PROMPT and body["model"] == "eyes-1"
    data = [base64.b64decode(one["image_url"]["url"].removeprefix("data:image/png;base64,")) for one in shown]
    assert data == PICTURES
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA
    assert reply.answer.realistic and (reply.tokens_in, reply.tokens_out, reply.tries) == (1000, 20, 1)


def test_a_busy_or_stumbling_server_is_asked_again_with_growing_pauses():
    """429 says how long (7 s); 503, a connection that breaks off and 500 wait 2, 4 and 8 s."""
    with serving(FakeJudge(429, 503, "hang up", 500, "realistic")) as server:
        judge, waits = judge_of(server)
        assert judge.ask(PICTURES).tries == 5
    assert waits == [7, 2, 4, 8]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_not_tried_again_and_never_tells_the_key(status):
    """The server sends the key back in its error."""
    with serving(FakeJudge(status)) as server:
        judge, waits = judge_of(server)
        with pytest.raises(JudgeError, match=f"status {status}") as caught:
            judge.ask(PICTURES)
    assert SECRET not in str(caught.value) and "[key]" in str(caught.value) and SECRET not in repr(judge)
    assert waits == [] and len(server.heard) == 1


def test_a_key_in_an_answer_is_not_kept():
    with serving(FakeJudge("the key")) as server:
        reply = judge_of(server)[0].ask(PICTURES)
    assert SECRET not in reply.text and "[key]" in reply.text and reply.answer.realistic


@pytest.mark.parametrize("manner", ["prose", "wrong type", "no content", "no choices", "html", "a list"])
def test_malformed_answers(manner):
    with serving(FakeJudge(manner)) as server:
        reply = judge_of(server)[0].ask(PICTURES)
    with pytest.raises(MalformedAnswer, match="expected"):
        _ = reply.answer


def test_answers_in_a_fence_are_read_and_the_schema_wants_what_the_parser_does():
    with serving(FakeJudge("fenced")) as server:
        assert judge_of(server)[0].ask(PICTURES).answer.reason == "the door swings"
    validate({"realistic": True, "reason": "x"}, SCHEMA)
    for wrong in ({"realistic": "yes", "reason": "x"}, {"realistic": True}, {"realistic": True, "reason": "x", "more": 1}):
        with pytest.raises(ValidationError):
            validate(wrong, SCHEMA)
    assert parse_answer('{"realistic": false, "reason": "' + "a " * 900 + '"}').reason.startswith("a a a")


# ---- many questions --------------------------------------------------------------------------------------------------------


def test_answers_are_bought_once(tmp_path):
    with serving(FakeJudge("realistic", "unrealistic")) as server:
        judge, _ = judge_of(server)
        judging, todo = Judging(tmp_path, judge, Price(2.5, 10)), strips(tmp_path, 3)
        for _ in range(2):
            judging.ask(todo)
        assert len(server.heard) == 3
        assert [judging.answer(path)["realistic"] for path in todo] == [True, False, False]
        assert Judging(tmp_path, replace(judge, model="eyes-2")).answer(todo[0]) is None  # another question
    assert judging.bill() == {"answers": 3, "of no use": 0, "tokens_in": 3000, "tokens_out": 60, "tries": 3,
                                            "dollars": 0.0081, "model": "eyes-1", "prompt": "puppetmaster.realism/1"}
    assert SECRET not in "".join(path.read_text() for path in (tmp_path / "answers").iterdir())


def test_a_malformed_answer_costs_its_item_and_can_be_asked_again(tmp_path):
    with serving(FakeJudge("realistic", "prose", "unrealistic", "realistic")) as server:
        judge, _ = judge_of(server)
        judging, todo = Judging(tmp_path, judge), strips(tmp_path, 3)
        judging.ask(todo)
        assert [judging.answer(path).get("realistic") for path in todo] == [True, None, False]
        assert judging.answer(todo[1])["said"] == "It looks fine to me."
        assert "It looks fine" in judging.answer(todo[1])["error"] and judging.answer(todo[1])["tokens_in"] == 1000
        judging.ask(todo)
        assert len(server.heard) == 3
        judging.ask(todo, retry=True)
        assert len(server.heard) == 4 and judging.answer(todo[1])["realistic"] is True


def test_the_budget_stops_the_run_and_the_run_goes_on_with_a_larger_one(tmp_path):
    """An answer costs $0.0025 + $0.0002: of $0.006 two can be had, the third might be too dear."""
    with serving(FakeJudge()) as server:
        judge, _ = judge_of(server)
        judging, todo = Judging(tmp_path, judge, Price(2.5, 10)), strips(tmp_path, 4)
        for _ in range(2):
            with pytest.raises(BudgetSpent, match=r"\$0.0054 of \$0.006 are spent"):
                judging.ask(todo, 0.006)
            assert len(server.heard) == 2
        judging.ask(todo, 1.0)
    assert len(server.heard) == 4 and all(judging.answer(path)["realistic"] for path in todo)


def test_a_server_that_is_gone_stops_the_run_and_costs_nothing(tmp_path):
    with serving(FakeJudge("realistic", 503)) as server:
        judge, _ = judge_of(server, tries=2)
        judging, todo = Judging(tmp_path, judge), strips(tmp_path, 9)
        with pytest.raises(JudgeError, match="3 animations in a row"):
            judging.ask(todo)
    assert [judging.answer(path) is None for path in todo] == [False] + [True] * 8


# ---- pictures --------------------------------------------------------------------------------------------------------------


def test_four_pictures_from_the_front_hold_the_whole_motion():
    asset = make_asset("door", 1)
    pictures = quarters(asset, 0, 48)
    assert pictures.shape == (4, 48, 48, 3)
    assert len({one.tobytes() for one in pictures}) > 1
    edges = np.concatenate([pictures[:, 0], pictures[:, -1], pictures[:, :, 0], pictures[:, :, -1]], axis=1)
    assert (edges == 255).all()
    np.testing.assert_array_equal(unstrip(strip(pictures)), pictures)
    camera = front_camera(np.array([[(-1, -1, 2.0), (1, 1, 0)]]))
    assert (camera.azimuth, camera.elevation) == (0, 0)
    assert camera.project(np.array([-1, -1, 2.0]))[0] >= 0.05 - 1e-9


# ---- the command -----------------------------------------------------------------------------------------------------------


def test_the_run_asks_about_what_the_forest_kept_and_lists_hq(tmp_path, monkeypatch, capsys):
    """Three good ones; the second is called unrealistic, the third gets an answer of no use."""
    with serving(FakeJudge("realistic", "unrealistic", "prose")) as server:
        for name, value in ((URL, server.url), (MODEL, "eyes-1"), (KEY, SECRET)):
            monkeypatch.setenv(name, value)
        words = ["curate", "library:furniture", "--count", "3", "--output", str(tmp_path / "run"), "--judge", "--price", "2.5,10"]
        assert main([*words, "--workers", "1"]) == 0
        assert main([*words, "--json"]) == 0
        assert len(server.heard) == 3
    rows = read_rows(tmp_path / "run" / "animations.parquet")
    assert [(row["asset"], row["verdict"], row["stage"]) for row in rows] == [
        ("storage-000000", "HQ", "judge"), ("table-000000", "dropped", "judge"), ("dishwasher-000000", "animation", "judge")]
    assert rows[1]["reason"] == "parts fly apart" and "It looks fine" in rows[2]["judge_error"]
    assert json.loads((tmp_path / "run" / "animation-HQ.json").read_text()) == ["storage-000000"]
    assert len(json.loads((tmp_path / "run" / "animation.json").read_text())) == 3
    out, error = capsys.readouterr()
    report = json.loads(out.splitlines()[-1])
    assert report["funnel"]["judge"] == {"in": 3, "out": 1, "unrealistic": 1, "no usable answer": 1, "not asked": 0}
    assert report["judge"]["dollars"] == pytest.approx(3 * 0.0027) and "0.0081" in out
    everything = out + error + "".join(p.read_text() for p in (tmp_path / "run").rglob("*.json"))
    assert SECRET not in everything
