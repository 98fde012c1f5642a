"""Table 1: videos of any method read and brought back, rows scored, means and intervals, a kill and a damaged file."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from exports import pad, padded_points
from puppetmaster_core.cli import main
from puppetmaster_core.drags import DragError, Drags
from puppetmaster_core.evaluation.intervals import interval
from puppetmaster_core.evaluation.metrics import psnr
from puppetmaster_core.evaluation.progress import Progress
from puppetmaster_core.evaluation.scores import Judges
from puppetmaster_core.evaluation.suites import drag_a_move_clip, not_white, open_suite, video_clip
from puppetmaster_core.evaluation.table1 import BLEND, STATIC_COPY, Row, evaluate_suite, model_row, summarise
from puppetmaster_core.evaluation.videos import VideoError, VideoForm, read_video
from puppetmaster_core.video import Video

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "drag_a_move"


def film(seed=0, frames=14, size=64, step=2):
    """A square of one colour on white that moves `step` pixels a frame to the right; its drag; its mask."""
    colour = np.random.default_rng(seed).integers(0, 200, 3)
    pictures = np.full((frames, size, size, 3), 255, np.uint8)
    for n in range(frames):
        pictures[n, 20:36, 8 + step * n : 24 + step * n] = colour
    start = np.array([16.0, 28.0])
    drag = Drags(np.stack([[start[0] + step * n, start[1]] for n in range(frames)])[None] / size)
    return pictures, drag


class Centre:
    """A tracker that knows this film: a point moves as the centre of what is not white."""

    name, rough = "centre", False

    def __call__(self, frames, points):
        at = np.array([np.argwhere((f < 240).any(2))[:, ::-1].mean(0) + 0.5 for f in frames])
        return np.asarray(points)[:, None] + (at - at[0])[None]


@pytest.fixture
def folder(tmp_path):
    """Three clips as a folder of videos: a GIF, and a folder of PNGs, both with drags and a mask, and a damaged GIF."""
    place = tmp_path / "clips"
    place.mkdir()
    for name, seed in (("a", 0), ("b", 1)):
        pictures, drag = film(seed)
        Video(pictures).save(place / ("a.gif" if name == "a" else "b"))
        drag.to_json(place / f"{name}.json", (64, 64))
        Image.fromarray(255 * not_white(pictures[0]).astype(np.uint8)).save(place / f"{name}.mask.png")
    (place / "c.gif").write_bytes((place / "a.gif").read_bytes()[:200])
    return place


# ---- files -----------------------------------------------------------------------------------------------------------


def test_videos_are_read_back(tmp_path):
    pictures, _ = film()
    for name in ("v.gif", "v"):
        Video(pictures).save(tmp_path / name)
        np.testing.assert_array_equal(read_video(tmp_path / name), pictures)
    Video(pictures).save(tmp_path / "v.mp4")
    decoded = read_video(tmp_path / "v.mp4")
    assert decoded.shape == pictures.shape and psnr(decoded, pictures) > 25  # what half the colour resolution costs
    (tmp_path / "broken.mp4").write_bytes((tmp_path / "v.mp4").read_bytes()[:100])
    for name in ("broken.mp4", "missing.gif"):
        with pytest.raises(VideoError, match=name.replace(".", r"\.")):
            read_video(tmp_path / name)


@pytest.mark.parametrize("size", [(576, 320), (384, 256), (832, 480), (256, 256)])
def test_padding_is_undone(size):
    """App. C.2 there and back: a smooth picture survives, and a point lands where the picture's content does."""
    y, x = np.mgrid[:256, :256] / 255
    picture = np.stack([x, y, (x + y) / 2], 2) * 150 + 90
    picture[100:120, 40:60] = 0
    picture = picture.astype(np.uint8)
    wide = np.asarray(pad(Image.fromarray(picture), size))
    assert wide.shape == (size[1], size[0], 3)
    back = VideoForm(size).undo(np.repeat(wide[None], 14, 0), 14, 256)
    assert back.shape == (14, 256, 256, 3) and psnr(back, np.repeat(picture[None], 14, 0)) > 33
    u, v = padded_points(np.array([50 / 256, 110 / 256]), size)
    assert wide[int(v), int(u)].max() < 5  # the middle of the black square
    black = np.argwhere(wide.max(2) < 60)[:, ::-1].mean(0) + 0.5
    np.testing.assert_allclose(black, [u, v], atol=0.6)
    assert np.asarray(pad(Image.fromarray(picture), (576, 320)))[:, :120].min() == 255


def test_a_form_picks_frames_as_it_says():
    frames = np.repeat(np.arange(81, dtype=np.uint8), 3 * 4).reshape(81, 2, 2, 3)
    first, even = VideoForm(frames=16).undo(frames[:16], 14, 2), VideoForm(keep="spread").undo(frames, 14, 2)
    assert first[:, 0, 0, 0].tolist() == [*range(14)]  # App. C.2: of 16 the last two go
    assert even[:, 0, 0, 0].tolist() == np.linspace(0, 80, 14).round().tolist()
    np.testing.assert_array_equal(VideoForm(frames=81, keep="spread").undo(frames, 14, 2), even)
    for got in (13, 80):  # spread over another number of frames, the drags would not take the whole video
        with pytest.raises(VideoError, match=f"{got} frames, expected 81"):
            VideoForm(frames=81, keep="spread").undo(frames[:got], 14, 2)


def test_a_form_is_read_and_refused(tmp_path):
    form = VideoForm((576, 320), 14, "spread")
    form.save(tmp_path)
    assert VideoForm.of(tmp_path) == form and VideoForm.of(tmp_path / "nowhere") == VideoForm()
    for text in ("{", "[]", '{"keep": "last"}', '{"size": 7}', '{"frames": "81"}'):
        (tmp_path / "method.json").write_text(text)
        with pytest.raises(VideoError, match=r"method\.json"):
            VideoForm.of(tmp_path)


def test_a_folder_of_videos_is_a_suite(folder):
    suite = open_suite(folder, size=64)
    assert (suite.kind, suite.ids, len(suite.first(2))) == ("videos", ("a", "b", "c"), 2)
    clips = dict(suite)
    assert "c.gif: cannot be read" in clips["c"]
    pictures, drag = film(1)
    np.testing.assert_array_equal(clips["b"].frames, pictures)
    np.testing.assert_allclose(clips["b"].drags.points, drag.points, atol=1e-6)
    np.testing.assert_array_equal(clips["b"].foreground, not_white(pictures[0]))


def test_videos_that_are_not_square_or_are_long_are_made_to_fit(tmp_path):
    wide = np.zeros((28, 32, 64, 3), np.uint8)
    wide[:, :, :, 0] = np.arange(28)[:, None, None]
    Video(wide).save(tmp_path / "w")
    Drags(np.array([[[0.0, 0.0], [1.0, 1.0]]])).to_json(tmp_path / "w.json", (64, 32))
    clip = video_clip(tmp_path, "w", size=64)
    assert clip.frames.shape == (14, 64, 64, 3) and clip.foreground is None
    assert (clip.frames[:, :16] == 255).all() and (clip.frames[:, 16:48, :, 1] == 0).all()
    assert clip.frames[-1, 32, 32, 0] == 27 and clip.drags.points[0, 0].tolist() == [0, 0.25]
    with pytest.raises(VideoError, match="28 frames, expected 29"):
        video_clip(tmp_path, "w", frames=29)


# ---- scores ----------------------------------------------------------------------------------------------------------


def test_rows_are_scored_and_a_damaged_clip_costs_itself(folder):
    rows = [STATIC_COPY, BLEND, Row("truth", lambda clip: clip.frames.copy()), Row("backwards", reversed_film)]
    records = evaluate_suite(open_suite(folder, 64), rows, Judges(Centre()), Progress())
    summary = summarise(records)
    assert {name: (row["clips"], row["failed"]) for name, row in summary.items()} == dict.fromkeys(
        ("static copy", "first-last blend", "truth", "backwards"), (2, 1))
    truth, copy = summary["truth"], summary["static copy"]
    assert truth["psnr"]["mean"] == 100 and truth["ssim"]["mean"] == pytest.approx(1)
    assert truth["motion_error_origins"]["mean"] == truth["motion_error_foreground"]["mean"] == 0
    assert truth["end_point_error"]["mean"] == pytest.approx(0, abs=1e-4)
    # The point moves 2 pixels a frame of 64, 8 at 256, for 13 frames: 104 at the end, 52 in the mean.
    assert copy["end_point_error"]["mean"] == pytest.approx(104) and copy["motion_error_drags"]["mean"] == pytest.approx(52)
    assert copy["motion_error_origins"]["mean"] == copy["motion_error_foreground"]["mean"] == pytest.approx(52)
    assert copy["unclear_direction"]["mean"] == 100 and copy["psnr_with_frame_1"]["mean"] > copy["psnr"]["mean"]
    assert truth["wrong_direction"] == {"mean": 0, "low": 0, "high": 0, "clips": 2, "drags": 2} and "lpips" not in truth
    assert summary["backwards"]["wrong_direction"]["mean"] == 100
    assert summary["first-last blend"]["psnr"]["mean"] < 40  # its last frame, which is the truth's, is not scored
    assert truth["over_static_copy"]["psnr"]["mean"] == pytest.approx(100 - copy["psnr"]["mean"])


def reversed_film(clip):
    """The square moves to the left instead."""
    frames = np.full_like(clip.frames, 255)
    for n in range(len(frames)):
        frames[n, :, : 64 - n // 2] = clip.frames[0, :, n // 2 :]
    return frames


def test_a_models_noise_depends_on_the_clip_and_not_on_its_place(folder, pipe):
    pipeline, seeds = pipe, []
    row = model_row("smoke", Told(pipeline, seeds), 64, steps=1)
    for ids in (("a", "b"), ("b",)):
        for _, clip in replace(open_suite(folder, 64, pipeline.config.frames), ids=ids):
            assert row.make(clip).shape == clip.frames.shape
    assert seeds[1] == seeds[2] != seeds[0]


class Told:
    """A pipeline that tells the seeds it is called with."""

    def __init__(self, pipeline, seeds):
        self.pipeline, self.latents, self.seeds = pipeline, pipeline.latents, seeds

    def __call__(self, *given, seed, **how):
        self.seeds.append(seed)
        return self.pipeline(*given, seed=seed, **how)


# ---- the command -----------------------------------------------------------------------------------------------------


def test_evaluate_makes_table_1_of_a_methods_videos(folder, tmp_path, capsys):
    method = tmp_path / "methods" / "moved"
    method.mkdir(parents=True)
    VideoForm((96, 64)).save(method)
    wide = np.stack([np.asarray(pad(Image.fromarray(frame), (96, 64))) for frame in film(0)[0]])
    Video(wide).save(method / "a.gif")
    out = tmp_path / "t.json"
    words = ["--data", str(folder), "--model", "none", "--size", "64", "--methods", str(method.parent), "--output", str(out)]
    assert main(["evaluate", *words]) == 0
    printed, record = capsys.readouterr().out, json.loads(out.read_text())
    assert "moved" in printed and "3 videos not scored" not in printed
    assert record["kind"] == "table1" and record["summary"]["moved"]["psnr"]["mean"] > 40
    assert record["summary"]["moved"]["clips"] == 1 and record["notes"]["first-last blend"]
    assert [r["failed"] for r in record["records"] if r["row"] == "moved" and r["clip"] == "b"] == ["moved has no video of b"]
    assert not (tmp_path / "t.json.progress").exists() and record["device"] and "commit" in record


def test_a_model_is_not_scored_on_a_clip_that_brings_no_drags(folder, smoke_folder, tmp_path):
    (folder / "b.json").unlink()
    out, smoke = tmp_path / "t.json", str(smoke_folder)
    assert main(["evaluate", "--data", str(folder), "--model", smoke, "--size", "64", "--frames", "4", "--output", str(out)]) == 0
    record = json.loads(out.read_text())
    assert record["summary"][smoke]["clips"] == 1 and record["summary"]["static copy"]["clips"] == 2
    assert [r["failed"] for r in record["records"] if (r["row"], r["clip"]) == (smoke, "b")] == [
        "got no drags with b, expected b.json beside its video, for the model to follow"]


# ---- Drag-a-Move -----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not SHARED.exists(), reason="the Drag-a-Move test clips are not beside this checkout")
def test_drag_a_move_is_a_suite_with_a_foreground():
    suite = open_suite(SHARED)
    assert (suite.name, suite.kind, len(suite)) == ("Drag-a-Move", "drag_a_move", 51)
    clip = drag_a_move_clip(SHARED, suite.ids[0])
    assert clip.frames.shape == (14, 256, 256, 3)
    assert 0.05 < clip.foreground.mean() < 0.9 and not clip.foreground[:4, :4].any()
    origin = (clip.drags.points[0, 0] * 256).astype(int)
    assert clip.foreground[origin[1], origin[0]]
    with pytest.raises(DragError, match="no such file"):
        drag_a_move_clip(SHARED, "99999")


@pytest.mark.skipif(not SHARED.exists(), reason="the Drag-a-Move test clips are not beside this checkout")
def test_a_static_video_misses_the_drags_by_what_the_drags_say():
    """Straight, even drags: a point that stays misses by half the drag's length in the mean; 23.3 pixels over all 100 clips."""
    suite = open_suite(SHARED, size=32)  # drags need no pixels
    lengths = []
    for _, clip in suite.first(20):
        points = clip.drags.points * 256
        lengths.append(np.linalg.norm(points - points[:, :1], axis=2).mean())
        assert lengths[-1] == pytest.approx(np.linalg.norm(points[:, -1] - points[:, 0], axis=1).mean() / 2, rel=1e-3)
    found = interval(lengths, np.random.default_rng(0))
    assert found["low"] < 23.3 < found["high"]
