"""The judge of a model on unseen cabinets: what it adds up, and that a perfect and a still video score as they must."""

import json

import numpy as np
import pytest
from oracle import Oracle, anchored_smoke

from puppetmaster_core.cli import main
from puppetmaster_core.clips.cabinets import TEST_SEEDS, cabinet_clip
from puppetmaster_core.evaluation.cabinets import ROWS, evaluate_clip, reconstruct, summary, table
from puppetmaster_core.presets import SMOKE


@pytest.fixture(scope="module")
def pipeline():
    return anchored_smoke()


def test_the_true_video_scores_as_true(pipeline):
    clip = cabinet_clip(TEST_SEEDS + 1, 64, 4)
    scores = evaluate_clip(Oracle(pipeline, clip.frames), clip)
    assert scores["model"]["whole"] == scores["model"]["moving"] == 100.0  # the cap of an exact match
    assert scores["travel"] == [1.0] * len(scores["travel"]) and scores["travel"]
    assert scores["model"]["edge energy"] == pytest.approx(1.0)


def test_a_still_video_moves_nothing(pipeline):
    clip = cabinet_clip(TEST_SEEDS + 1, 64, 4)
    scores = evaluate_clip(Oracle(pipeline, np.repeat(clip.frames[:1], 4, 0)), clip)
    assert scores["model"]["moving"] == scores["static copy"]["moving"] < 25
    assert scores["travel"] == [0.0] * len(scores["travel"])
    assert summary([scores] * 2)["right direction"] == 0.0


def test_the_pipelines_own_decoding_keeps_what_is_still(pipeline):
    frames = np.repeat(cabinet_clip(TEST_SEEDS, 64, 4).frames[:1], 4, 0)
    assert (reconstruct(pipeline, frames) != frames).any()  # an untrained VAE loses much
    np.testing.assert_array_equal(reconstruct(pipeline, frames, anchored=True), frames)


def scored(travel, value=20.0):
    return {"travel": travel, **{name: {"whole": value, "moving": value, "still": value} for name in ROWS}}


def test_the_summary_counts_parts_and_clips():
    clips = [scored([1.0, -0.5]), scored([0.5]), scored([0.0]), scored([float("nan")])]
    for clip in clips:
        clip["model"]["edge energy"] = 0.9
    told = summary(clips)
    assert (told["clips"], told["parts"]) == (4, 4)  # the part that the last frame says nothing of is no part
    assert told["right direction"] == 0.5  # 1 and 0.5 of four; standing still is not right
    assert told["clips with every part right"] == pytest.approx(1 / 3)
    assert told["travel"]["mean"] == pytest.approx(0.25)
    assert "right direction: 50.0%" in table(told)


def test_evaluate_writes_what_it_prints(pipeline, tmp_path, capsys):
    pipeline.save_pretrained(tmp_path / "model")
    words = ["evaluate", "--model", str(tmp_path / "model"), "--clips", "2", "--output", str(tmp_path / "scores.json"), "--json"]
    assert main(words) == 0
    printed, written = json.loads(capsys.readouterr().out), json.loads((tmp_path / "scores.json").read_text())
    assert written["summary"] == printed and len(written["clips"]) == 2 and written["steps"] == SMOKE.steps
    assert "commit" in written and written["device"] == "cpu"


def test_evaluate_refuses_an_output_before_it_computes(tmp_path, capsys):
    assert main(["evaluate", "--output", str(tmp_path)]) == 2
    assert "this is a folder" in capsys.readouterr().err
    assert main(["evaluate", "--output", str(tmp_path / "no" / "scores.json")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_train_refuses_a_file_as_run_folder(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["train", "--output", str(tmp_path / "file")]) == 2
    assert "wanted a run folder" in capsys.readouterr().err
