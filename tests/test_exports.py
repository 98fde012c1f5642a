"""The compared methods' inputs: each file read back the way the method's own code reads it."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from exports import FORMATS, export, main
from puppetmaster_core.drags import Drags
from puppetmaster_core.evaluation.suites import TestClip
from puppetmaster_core.evaluation.videos import VideoError, VideoForm

POINTS = np.array([[[0.25, 0.5], [0.75, 0.5]], [[0.5, 0.5], [0.5, 1.1]]])  # one of them leaves the picture


@pytest.fixture
def clip():
    """A white 64×64 picture with a dark square at the first drag's start, which is the object."""
    frames = np.full((14, 64, 64, 3), 255, np.uint8)
    frames[:, 28:36, 12:20] = 20
    return TestClip("a", frames, Drags(POINTS).resample(14), (frames[0] < 128).any(2))


def exported(method, clip, folder) -> Path:
    assert export(method, [clip, TestClip("no_drags", clip.frames, None, None)], folder, "A Furniture") == 1
    assert VideoForm.of(folder) == FORMATS[method][0]
    return folder / "inputs"


def picture(path, size):
    image = Image.open(path)
    assert image.size == size
    return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize(("method", "size", "frames"), [("dragnuwa", (576, 320), 14), ("image_conductor", (384, 256), 16)])
def test_tracks_of_clicked_points(method, size, frames, clip, tmp_path):
    """Lists of (x, y) that index a map of (H, W): `map[int(y)][int(x)]`."""
    inputs = exported(method, clip, tmp_path)
    tracks = np.array(json.loads((inputs / "a.json").read_text()))
    if method == "image_conductor":
        [entry] = json.loads((inputs / "clips.yaml").read_text())
        assert entry == {"controlnet_images": ["a.png"], "controlnet_trajs": "a.json", "H": 256, "W": 384, "L": 16,
                         "control_mode": "object", "controlnet_image_indexs": [0], "prompt": ["A Furniture"]}
    assert tracks.shape == (2, frames, 2) and tracks.min() >= 0 and (tracks < size).all()
    image = picture(inputs / "a.png", size)
    x, y = tracks[0, 0]
    assert image[y, x].max() < 60 and image[y, x - size[1] // 4].min() > 200
    left = (size[0] - size[1]) / 2
    assert tracks[0, -1].tolist() == [int(left + 0.75 * size[1]), size[1] // 2]
    assert tracks[1, -1].tolist() == [size[0] // 2, size[1] - 1]  # kept on the map


def test_draganything_has_a_folder_a_clip_with_a_mask_a_drag(clip, tmp_path):
    place = exported("draganything", clip, tmp_path) / "a"
    image, mask = picture(place / "demo.jpg", (576, 320)), picture(place / "mask.png", (576, 320))
    drags = json.loads((place / "demo.json").read_text())
    assert list(drags) == ["1", "2"] and all(drag["mask_name"] == "mask.png" for drag in drags.values())
    assert np.array(drags["1"]["trajectory"]).shape == (14, 2)
    x, y = drags["1"]["trajectory"][0]
    assert image[y, x].max() < 60 and mask[y, x].min() == 255
    assert set(np.unique(mask)) == {0, 255} and mask.mean() / 255 == pytest.approx(64 / (115.2 * 64), rel=0.1)
    with pytest.raises(VideoError, match="wants a mask"):
        export("draganything", [TestClip("a", clip.frames, clip.drags, None)], tmp_path)


def test_dragapart_has_ends_that_move(clip, tmp_path):
    inputs = exported("dragapart", clip, tmp_path)
    drags = np.load(inputs / "a.npy", allow_pickle=False)
    assert drags.shape == (14, 10, 4) and not drags[:, 2:].any()
    np.testing.assert_allclose(drags[:, 0, :2], np.tile([0.25, 0.5], (14, 1)))
    np.testing.assert_allclose(drags[:, 0, 2], np.linspace(0.25, 0.75, 14), atol=1e-6)
    assert picture(inputs / "a.png", (256, 256))[128, 64].max() < 60


def test_wan_move_has_tracks_and_visibility(clip, tmp_path):
    inputs = exported("wan_move", clip, tmp_path)
    tracks, seen = (np.load(inputs / f"a_{name}.npy", allow_pickle=False) for name in ("tracks", "visibility"))
    assert tracks.shape == (1, 81, 2, 2) and seen.shape == (1, 81, 2) and seen.dtype == bool
    x, y = tracks[0, 0, 0]
    assert picture(inputs / "a.jpg", (832, 480))[int(y), int(x)].max() < 80
    assert seen[0, :, 0].all() and not seen[0, -1, 1]
    listed = json.loads((inputs / "clips.yaml").read_text())
    assert listed[0]["track"] == "a_tracks.npy" and listed[0]["prompt"] == "A Furniture"


def test_ati_has_eighths_of_a_pixel_in_an_npz_in_a_pth(clip, tmp_path):
    inputs = exported("ati", clip, tmp_path)
    packed = torch.load(inputs / "a.pth", weights_only=True)
    with np.load(io.BytesIO(packed), allow_pickle=False) as stored:
        tracks = stored["array"] / 8  # as its process_tracks does
    assert tracks.shape == (2, 121, 1, 3) and stored is not None
    x, y, seen = tracks[0, 0, 0]
    assert seen == 1 and picture(inputs / "a.png", (832, 480))[int(y), int(x)].max() < 60
    assert tracks[1, -1, 0, 2] == 0
    assert json.loads((inputs / "clips.yaml").read_text()) == [{"image": "a.png", "text": "A Furniture", "track": "a.pth"}]


def test_the_command_writes_and_does_not_overwrite(clip, tmp_path, capsys):
    data = tmp_path / "data"
    for n, frame in enumerate(clip.frames):
        (data / "a").mkdir(parents=True, exist_ok=True)
        Image.fromarray(frame).save(data / "a" / f"{n:02d}.png")
    clip.drags.to_json(data / "a.json", (64, 64))
    (data / "broken.gif").write_bytes(b"GIF89a")
    words = ["dragnuwa", "--data", str(data), "--output", str(tmp_path / "others"), "--prompt", "a box"]
    assert main(words) == 0
    said = capsys.readouterr()
    assert "1 clips in" in said.out and "left out: broken" in said.err
    with pytest.raises(SystemExit):
        main(words)
    assert "is there already" in capsys.readouterr().err
