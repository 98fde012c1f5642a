"""What a scoring run leaves on disk: its result before its progress goes, one process at a time, and videos where asked to."""

import errno
import json
import subprocess
import sys

import numpy as np
import pytest
from oracle import Oracle, anchored_smoke
from toys import cabinet

from puppetmaster_core.cli import evaluate, main
from puppetmaster_core.clips.sources import TEST_SEEDS
from puppetmaster_core.drags import Drags
from puppetmaster_core.evaluation.library import evaluate_subject
from puppetmaster_core.evaluation.progress import Progress, ProgressError
from puppetmaster_core.evaluation.subjects import unseen_subjects
from puppetmaster_core.evaluation.videos import VideoError, keep_video, kept_videos, model_folder
from puppetmaster_core.pipeline import PuppetMasterPipeline
from puppetmaster_core.video import Video

KINDS = ("cabinets", "library", "table 1")


@pytest.fixture(scope="module")
def pipeline():
    return anchored_smoke()


@pytest.fixture(scope="module")
def smoke(pipeline, tmp_path_factory):
    place = tmp_path_factory.mktemp("models") / "smoke"
    pipeline.save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    """Two true clips as a folder of videos with drags."""
    place = tmp_path_factory.mktemp("truth")
    for k in range(2):
        clip = cabinet(TEST_SEEDS + k, 64, 4)
        keep_video(place, f"clip{k}", Video(clip.frames, drags=Drags(clip.drags[:1])))
    return place


@pytest.fixture
def scoring(smoke, truth, tmp_path, monkeypatch):
    """A function of a kind of run, and of more words for the command; the noise of every video made is in `made`."""
    made, call = [], PuppetMasterPipeline.__call__
    monkeypatch.setattr(PuppetMasterPipeline, "__call__", lambda *a, **k: made.append(k["seed"]) or call(*a, **k))
    words = {"cabinets": ["--clips", "2"], "library": ["--clips", "2", "--kinds", "oven"],
             "table 1": ["--data", str(truth), "--size", "64", "--frames", "4"]}

    def run(kind, *more):
        own = ["--model", str(smoke), "--steps", "1", "--output", str(tmp_path / "scores.json")]
        return main(["evaluate", *own, *words[kind], *map(str, more)])

    run.made, run.output, run.progress = made, tmp_path / "scores.json", tmp_path / "scores.json.progress"
    return run


# ---- the result, then its progress ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_that_is_full_at_the_end_costs_no_scores(kind, scoring, monkeypatch, capsys):
    def full(path, value):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(evaluate, "write_json", full)
        assert scoring(kind) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert "scores.json: cannot be written (No space left on device)" in said and "scores.json.progress" in said
    assert len(scoring.made) == 2 and scoring.progress.exists() and not scoring.output.exists()
    assert scoring(kind) == 0
    assert len(scoring.made) == 2 and not scoring.progress.exists()  # nothing was made twice
    assert json.loads(scoring.output.read_text())["command"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_result_is_there_before_its_progress_goes(kind, scoring, monkeypatch):
    seen, done = [], Progress.done
    monkeypatch.setattr(Progress, "done", lambda self: seen.append(scoring.output.exists()) or done(self))
    assert scoring(kind) == 0 and seen == [True]


def test_a_killed_run_on_cabinets_goes_on(scoring, monkeypatch):
    assert scoring("cabinets") == 0
    whole, before = json.loads(scoring.output.read_text()), len(scoring.made)
    add = Progress.add

    def killed(self, record):
        add(self, record)
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(Progress, "add", killed)
        assert scoring("cabinets") == 130
    assert scoring("cabinets") == 0
    again = json.loads(scoring.output.read_text())
    np.testing.assert_equal(again["clips"], whole["clips"])
    np.testing.assert_equal(again["summary"], whole["summary"])
    assert len(scoring.made) == before + 2


# ---- one process at a time -----------------------------------------------------------------------------------------------


def test_a_second_process_is_refused_and_the_first_keeps_what_it_has(tmp_path):
    output = tmp_path / "scores.json"
    with Progress(output) as first:
        first.begin({"seed": 0})
        first.add({"row": "m", "clip": "a", "scores": {}})
        words = [sys.executable, "-m", "puppetmaster_core", "evaluate", "--output", str(output)]
        second = subprocess.run(words, capture_output=True, text=True)
        assert second.returncode == 2 and second.stderr.count("\n") == 1
        assert "another process is scoring into the same output" in second.stderr
        with pytest.raises(ProgressError), Progress(output):
            pass
        first.add({"row": "m", "clip": "b", "scores": {}})
        assert len(first.path.read_text().splitlines()) == 3
    with Progress(output) as third:  # the lock went with the first; what it had is still there
        third.begin({"seed": 0})
        assert third.resumed and third.get("m", "a") and third.get("m", "b")


def test_a_run_that_is_refused_early_leaves_what_was_there(tmp_path):
    output = tmp_path / "scores.json"
    assert main(["evaluate", "--model", str(tmp_path / "none"), "--output", str(output)]) == 2
    assert not list(tmp_path.iterdir())
    with Progress(output) as progress:
        progress.begin({"seed": 0})
    kept = progress.path.read_text()
    assert main(["evaluate", "--model", str(tmp_path / "none"), "--output", str(output)]) == 2
    assert progress.path.read_text() == kept


# ---- kept videos ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_videos_are_kept_with_their_drags(kind, scoring, tmp_path):
    assert scoring(kind, "--videos", tmp_path / "videos") == 0
    (method, videos), = kept_videos(tmp_path / "videos").items()
    clips = {"cabinets": "cabinet-1000000", "library": "oven-", "table 1": "clip0"}
    assert method.endswith("smoke") and "/" not in method and len(videos) == 2 and videos[0][0].startswith(clips[kind])
    assert all(video.frames.shape == (4, 64, 64, 3) and video.drags.frames == 4 for _, video in videos)


def test_kept_videos_are_scored_again_as_they_were(scoring, truth, tmp_path):
    """To the last bit, and with a model that moves nothing: a GIF would make one frame of its frames."""
    assert scoring("table 1", "--videos", tmp_path / "videos") == 0
    first = json.loads(scoring.output.read_text())
    still = np.repeat(cabinet(TEST_SEEDS, 64, 4).frames[:1], 4, 0)
    keep_video(model_folder(tmp_path / "videos", "still"), "clip0", Video(still, drags=Drags([[(0, 0), (1, 1)]])))
    words = ["--model", "none", "--methods", str(tmp_path / "videos"), "--data", str(truth), "--size", "64", "--frames", "4"]
    assert main(["evaluate", *words, "--output", str(scoring.output)]) == 0
    again = json.loads(scoring.output.read_text())["summary"]
    (name,), kept = first["models"], next(row for row in again if row.endswith("smoke"))
    assert again[kept] == first["summary"][name] and again["still"]["clips"] == 1


def test_videos_of_another_run_are_not_mixed_with(scoring, tmp_path, capsys):
    videos = tmp_path / "videos"
    assert scoring("cabinets", "--videos", videos) == 0
    assert scoring("cabinets", "--videos", videos) == 2
    assert "this folder is not empty" in capsys.readouterr().err.splitlines()[-1]
    (tmp_path / "file").touch()
    assert scoring("table 1", "--videos", tmp_path / "file") == 2
    assert "cannot be made" in capsys.readouterr().err.splitlines()[-1]
    with pytest.raises(VideoError, match="no videos"):
        kept_videos(tmp_path / "nowhere")


def test_a_killed_run_goes_on_with_its_videos(scoring, tmp_path, monkeypatch):
    def killed(self, record):
        raise KeyboardInterrupt  # the video is there, its scores are not

    videos = tmp_path / "videos"
    with monkeypatch.context() as broken:
        broken.setattr(Progress, "add", killed)
        assert scoring("cabinets", "--videos", videos) == 130
    assert scoring("cabinets", "--videos", videos) == 0
    assert len(kept_videos(videos).popitem()[1]) == 2


def test_a_folder_is_called_as_its_model(tmp_path):
    names = {"tiny": "tiny", "OWNER/NAME": "OWNER_NAME", "../runs/tiny/": "runs_tiny", "/runs/a": "runs_a", ".": "model"}
    assert {name: model_folder(tmp_path, name).name for name in names} == names
    assert all(path.parent == tmp_path for path in (model_folder(tmp_path, name) for name in names))


def test_what_is_kept_is_what_was_scored(pipeline, tmp_path):
    (subject,) = unseen_subjects(1, 64, 4, "cabinets")
    evaluate_subject(Oracle(pipeline, subject.clip.frames), subject, videos=tmp_path / "made")
    ((name, video),) = kept_videos(tmp_path)["made"]
    assert name == f"cabinet-{TEST_SEEDS}"
    np.testing.assert_array_equal(video.frames, subject.clip.frames)
