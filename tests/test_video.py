"""Videos become files that are whole, still where nothing moves, and never half-written."""

import os
import subprocess
import sys

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image

from puppetmaster_core.drags import Drags
from puppetmaster_core.overlay import overlay_drags
from puppetmaster_core.video import OutputError, Video, check_output, enlarge

DRAGS = Drags([[[0.2, 0.2], [0.8, 0.8]]])


@pytest.fixture
def video():
    """A smooth background that does not move, and a square that does."""
    y, x = np.mgrid[:33, :47]
    frames = np.stack([np.stack([4 * x, 6 * y, 128 + x + y], -1)] * 6).clip(0, 255).astype(np.uint8)
    for n, frame in enumerate(frames):
        frame[5:15, 3 + 4 * n : 13 + 4 * n] = (250, 40, 40)
    return Video(frames, drags=DRAGS)


def gif_frames(path):
    with Image.open(path) as file:
        return np.stack([np.asarray(file.convert("RGB")) for n in range(file.n_frames) if file.seek(n) is None])


def test_gif_loops_at_its_rate_and_still_parts_do_not_flicker(video, tmp_path):
    path = video.save(tmp_path / "a.gif")
    frames = gif_frames(path)
    assert frames.shape == video.frames.shape
    assert (frames[:, 20:] == frames[:1, 20:]).all()
    error = np.mean((frames.astype(float) - video.frames) ** 2)
    assert 10 * np.log10(255**2 / error) > 35
    with Image.open(path) as file:
        assert file.info["loop"] == 0 and file.info["duration"] == 140  # 7 frames a second
    video.save(path, fps=20)
    with Image.open(path) as file:
        assert file.info["duration"] == 50


def test_gif_keeps_the_colours_of_the_overlay(video, tmp_path):
    large = enlarge(video.frames, 4)
    drawn = overlay_drags(large, DRAGS)
    path = video.save(tmp_path / "a.gif", overlay=True, upscale=4)
    error = np.abs(gif_frames(path).astype(int) - drawn).max(-1)[(drawn != large).any(-1)]
    assert np.quantile(error, 0.99) < 24


def test_gif_has_a_page_for_every_frame_of_a_video_that_pauses(video, tmp_path):
    paused = video.frames[[0, 1, 1, 1, 2, 0]]
    pages = gif_frames(Video(paused).save(tmp_path / "a.gif"))
    assert len(pages) == 6 and np.array_equal(pages[1], pages[2]) and np.array_equal(pages[0], pages[5])
    assert not np.array_equal(pages[3], pages[4])
    with Image.open(Video(paused[[0] * 5]).save(tmp_path / "still.gif")) as file:
        assert file.n_frames == 5 and {file.seek(n) or file.info["duration"] for n in range(5)} == {140}


def test_mp4_plays_everywhere_and_odd_sides_are_not_squashed(video, tmp_path):
    path = video.save(tmp_path / "a.mp4")
    frames, about = iio.imread(path), iio.immeta(path)
    assert frames.shape == (6, 34, 48, 3)
    assert (about["codec"], about["fps"]) == ("h264", 7.0) and about["pix_fmt"].startswith("yuv420p")
    error = np.mean((frames[:, 20:33, :47].astype(float) - video.frames[:, 20:]) ** 2)
    assert 10 * np.log10(255**2 / error) > 30


def test_pngs_are_exact(video, tmp_path):
    folder = video.save(tmp_path / "pngs")
    names = sorted(path.name for path in folder.iterdir())
    assert names == [f"frame_{n:03d}.png" for n in range(1, 7)]
    assert np.array_equal(np.stack([np.asarray(Image.open(folder / name)) for name in names]), video.frames)


def test_overlay_and_upscale(video, tmp_path):
    large = enlarge(video.frames, 3)
    assert large.shape == (6, 99, 141, 3)
    for overlay, drags in ((True, DRAGS), (other := Drags([[[0.9, 0.1], [0.1, 0.1]]]), other)):
        folder = video.save(tmp_path / f"drawn{overlay is True}", overlay=overlay, upscale=3)
        frames = np.stack([np.asarray(Image.open(path)) for path in sorted(folder.iterdir())])
        assert np.array_equal(frames, overlay_drags(large, drags))
    without = Video(video.frames).save(tmp_path / "plain", overlay=True)
    assert np.array_equal(np.asarray(Image.open(without / "frame_001.png")), video.frames[0])


def test_an_mp4_that_runs_out_of_room_is_an_error_and_leaves_what_was_there(tmp_path):
    """The disk is full for ffmpeg too, which is a process of its own."""
    (tmp_path / "a.mp4").write_text("old")
    code = (
        "import resource, sys, numpy as np; from puppetmaster_core.video import Video, OutputError\n"
        "frames = np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3), dtype=np.uint8)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "try: Video(frames).save('a.mp4')\n"
        "except OutputError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.startswith("a.mp4: cannot be written (ffmpeg: ") and done.stdout.count("\n") == 1, done.stderr
    assert os.listdir(tmp_path) == ["a.mp4"] and (tmp_path / "a.mp4").read_text() == "old"


def test_a_name_is_a_name_to_ffmpeg_too(video, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("-y.mp4", "http:a.mp4", "-f/a.mp4"):
        os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
        assert iio.imread(video.save(name).absolute()).shape == (6, 34, 48, 3)


def test_places_that_cannot_be_written_to_are_known_before(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    (tmp_path / "folder.gif").mkdir()
    for name, message in {
        "a.avi": "expected .gif, .mp4",
        ".gif": "only an ending",
        "none/a.gif": "No such file",
        "file/a.gif": "Not a directory",
        "file": "this is a file",
        "full": "not empty",
        "folder.gif": "this is a folder",
        "n" * 300 + ".gif": "too long",
    }.items():
        with pytest.raises(OutputError, match=message):
            check_output(tmp_path / name)
    with pytest.raises(OutputError, match="folder"):
        check_output(".")
    for name in ("new.gif", "new.MP4", "new"):
        check_output(tmp_path / name)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.gif", "full"]
