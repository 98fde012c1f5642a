"""`puppetmaster evaluate` on unseen clips and on videos: refusals, a kill, a full disk, one process at a time, videos kept."""

import errno
import json
import subprocess
import sys

import numpy as np
import pytest
from oracle import smoke as small
from toys import cabinet

from lib.counting import kept_videos
from puppetmaster_core.cli import evaluate, main
from puppetmaster_core.clips.sources import TEST_SEEDS
from puppetmaster_core.drags import Drags
from puppetmaster_core.evaluation.claims import claims_of
from puppetmaster_core.evaluation.progress import Progress
from puppetmaster_core.evaluation.videos import VideoError, keep_video, model_folder
from puppetmaster_core.jobs import JobError
from puppetmaster_core.pipeline import PuppetMasterPipeline
from puppetmaster_core.video import Video

KINDS = ("library", "table 1")


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    place = tmp_path_factory.mktemp("models") / "smoke"
    small(anchor=0.25).save_pretrained(place)
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
    words = {"library": ["--clips", "2", "--kinds", "furniture"],
             "table 1": ["--data", str(truth), "--size", "64", "--frames", "4"]}

    def run(kind, *more):
        own = ["--model", str(smoke), "--steps", "1", "--output", str(tmp_path / "scores.json")]
        return main(["evaluate", *own, *words[kind], *map(str, more)])

    run.made, run.output, run.progress = made, tmp_path / "scores.json", tmp_path / "scores.json.progress"
    return run


def test_what_is_printed_is_written_and_the_ledger_reads_it(scoring, capsys):
    assert scoring("library", "--json") == 0
    printed, written = json.loads(capsys.readouterr().out), json.loads(scoring.output.read_text())
    assert written["summary"] == printed and len(written["clips"]) == 2 and written["kinds"] == "furniture"
    assert "commit" in written and written["device"] == "cpu" and written["steps"] == 1
    assert written["command"].startswith("puppetmaster")
    claims = {claim.id: claim for claim in claims_of("scores.json", {**written, "model": "some"})}
    gain = claims["library_furniture.some.psnr_moving_over_static_copy"]
    assert (gain.ours, gain.bar, gain.clips) == (printed["over static copy"]["moving"]["mean"], 6.0, 2)
    assert {name for name in claims if name.endswith("right_direction")} == {
        f"library_furniture.{whose}some.right_direction" for whose in ("", "vae_of_", "anchored_vae_of_")}
    assert claims["library_furniture.some.off_place"].better == "lower"


# ---- the result, then its progress ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_that_is_full_at_the_end_costs_no_scores(kind, scoring, monkeypatch, capsys):
    def full(path, value):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(evaluate, "write_json", full)
        assert scoring(kind) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert "the disk is full (No space left on device): make room and start again" in said
    assert len(scoring.made) == 2 and scoring.progress.exists() and not scoring.output.exists()
    assert scoring(kind) == 0
    assert len(scoring.made) == 2 and not scoring.progress.exists()  # nothing was made twice


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_run_goes_on_with_its_videos_and_ends_as_if_it_had_not_been(kind, scoring, tmp_path, monkeypatch):
    assert scoring(kind) == 0
    whole, before, once = json.loads(scoring.output.read_text()), len(scoring.made), Progress.once

    def killed(self, key, make):
        if "clip1" in key or len(scoring.made) > before:  # the first video is kept, the second is not begun
            raise KeyboardInterrupt
        return once(self, key, make)

    with monkeypatch.context() as broken:
        broken.setattr(Progress, "once", killed)
        assert scoring(kind, "--videos", tmp_path / "videos") == 130
    with open(scoring.progress, "a") as file:
        file.write('{"key": "clip1", "rec')  # a line the kill cut
    assert scoring(kind, "--videos", tmp_path / "videos") == 0
    again = json.loads(scoring.output.read_text())
    assert again["summary"] == whole["summary"] and len(scoring.made) == before + 2
    ((method, videos),) = kept_videos(tmp_path / "videos").items()
    assert method.endswith("smoke") and "/" not in method and len(videos) == 2
    assert all(video.frames.shape == (4, 64, 64, 3) and video.drags.frames == 4 for _, video in videos)


def test_other_settings_believe_nothing_and_failures_are_tried_again(tmp_path):
    def run(seed, record):
        with Progress(tmp_path / "scores.json") as progress:
            progress.begin({"seed": seed})
            return progress.once("a", lambda: record)

    assert run(0, {"n": 1}) == {"n": 1} == run(0, {"n": 2})
    assert run(1, {"failed": "n"}) == {"failed": "n"} and run(1, {"n": 3}) == {"n": 3}


def test_a_second_process_is_refused_and_the_first_keeps_what_it_has(tmp_path):
    output = tmp_path / "scores.json"
    with Progress(output) as first:
        first.begin({"seed": 0})
        first.once("a", dict)
        words = [sys.executable, "-m", "puppetmaster_core", "evaluate", "--output", str(output)]
        second = subprocess.run(words, capture_output=True, text=True)
        assert second.returncode == 2 and second.stderr.count("\n") == 1
        assert "another run is at work here" in second.stderr
        with pytest.raises(JobError), Progress(output):
            pass
    with Progress(output) as third:  # the lock went with the first; what it had is still there
        third.begin({"seed": 0})
        assert third.resumed and third.once("a", lambda: pytest.fail("done again")) == {}


# ---- kept videos ---------------------------------------------------------------------------------------------------------


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
    keep_video(tmp_path / "videos" / model_folder(tmp_path, "x").name, "a", Video(np.zeros((2, 8, 8, 3), np.uint8), drags=Drags(
        [[(0, 0), (1, 1)]])))
    with pytest.raises(VideoError, match="this folder is not empty"):
        model_folder(tmp_path / "videos", "x")
    (tmp_path / "file").touch()
    assert scoring("table 1", "--videos", tmp_path / "file") == 2
    assert "cannot be made" in capsys.readouterr().err.splitlines()[-1]
    with pytest.raises(VideoError, match="no videos"):
        kept_videos(tmp_path / "nowhere")


def test_a_folder_is_called_as_its_model(tmp_path):
    names = {"tiny": "tiny", "OWNER/NAME": "OWNER_NAME", "../runs/tiny/": "runs_tiny", "/runs/a": "runs_a", ".": "model"}
    assert {name: model_folder(tmp_path, name).name for name in names} == names


