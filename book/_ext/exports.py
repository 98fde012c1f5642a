"""The test inputs in the forms that the compared methods' public code reads, and what brings their videos back.

    python book/_ext/exports.py dragnuwa --data drag_a_move --output others

OUTPUT/METHOD/inputs/ gets the pictures and drags, padded left and right as App. C.2 says, and OUTPUT/METHOD/method.json how the
videos are brought back. Put the method's videos at OUTPUT/METHOD/CLIP.mp4 or .gif, then: puppetmaster evaluate --methods OUTPUT.

Letters: N frames, K drags, (W, H) pixels of a method's pictures. Every format was read from the method's own code; the book's
page of the method says which file, and what of it could not be tried.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from puppetmaster_core.drags import DragError, Drags
from puppetmaster_core.evaluation.suites import TestClip, open_suite
from puppetmaster_core.evaluation.videos import VideoError, VideoForm
from puppetmaster_core.files import whole_file
from puppetmaster_core.pictures import WHITE

PROMPTS = {"Drag-a-Move": "A Furniture", "Human3.6M": "A person"}  # App. C.2's generic ones
WAN_FRAMES, ATI_FRAMES, ATI_UNITS = 81, 121, 8


def export(method: str, clips: Iterable[TestClip], folder: Path, prompt: str = "") -> int:
    """Write `folder`/inputs/… for a method of FORMATS, and `folder`/method.json; the number of clips written.

    A clip without drags is left out. Raises VideoError for a clip without what the method wants, and OSError.
    """
    form, write = FORMATS[method]
    inputs = folder / "inputs"
    inputs.mkdir(parents=True, exist_ok=True)
    listed = [write(clip, inputs, form, prompt) for clip in clips if clip.drags is not None]
    if any(listed):  # JSON is YAML
        _json(listed, inputs / "clips.yaml")
    form.save(folder)
    return len(listed)


def pad(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """App. C.2: "we first pad the square input image y along the horizontal axis to the correct aspect ratio and resize it".

    A square picture with white left and right, so that it has the shape of size (W, H), W ≥ H, resized to it.
    """
    side = picture.size[0]
    wide = round(side * size[0] / size[1])
    canvas = Image.new("RGB", (wide, side), WHITE)
    canvas.paste(picture, ((wide - side) // 2, 0))
    return canvas.resize(size, Image.Resampling.LANCZOS)


def padded_points(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Points (…, 2) of the unit square, where `pad` puts them: in pixels of a picture of size (W, H)."""
    width, height = size
    return points * height + [(width - height) / 2, 0]


def _picture(clip: TestClip, path: Path, form: VideoForm) -> None:
    """Frame 1 as a PNG, or a JPEG where the method's code asks for that name."""
    with whole_file(path) as partial:
        how = {"format": "JPEG", "quality": 98} if path.suffix == ".jpg" else {"format": "PNG"}
        pad(Image.fromarray(clip.frames[0]), form.size).save(partial, **how)


def _json(value, path: Path) -> None:
    with whole_file(path) as partial:
        partial.write_text(json.dumps(value) + "\n", encoding="utf-8")


def _array(array: np.ndarray, path: Path) -> None:
    with whole_file(path) as partial, open(partial, "wb") as file:
        np.save(file, array)


def _paths(drags: Drags, form: VideoForm, frames: int | None = None) -> np.ndarray:
    """Drags as (K, frames, 2) pixels of the padded picture; frames: the form's."""
    return padded_points(drags.resample(frames or form.frames).points.astype(np.float64), form.size)


def _inside(drags: Drags, form: VideoForm) -> list:
    """Lists of whole pixels within the picture: these methods write each point into a map and fail for one outside of it."""
    return np.clip(np.floor(_paths(drags, form)), 0, np.array(form.size) - 1).astype(int).tolist()


def _dragnuwa(clip: TestClip, folder: Path, form: VideoForm, prompt: str) -> None:
    """DragNUWA_demo.py: tracks of clicked points (x, y) at 576×320, a list a drag; its code fills in 14 frames."""
    _picture(clip, folder / f"{clip.id}.png", form)
    _json(_inside(clip.drags, form), folder / f"{clip.id}.json")


def _image_conductor(clip: TestClip, folder: Path, form: VideoForm, prompt: str) -> dict:
    """main/inference.py: `controlnet_trajs`, a JSON list of tracks (x, y) at 384×256, interpolated there over 16 frames."""
    _picture(clip, folder / f"{clip.id}.png", form)
    _json(_inside(clip.drags, form), folder / f"{clip.id}.json")
    return {"controlnet_images": [f"{clip.id}.png"], "controlnet_trajs": f"{clip.id}.json", "H": form.size[1],
            "W": form.size[0], "L": form.frames, "control_mode": "object", "controlnet_image_indexs": [0],
            "prompt": [prompt]}


def _draganything(clip: TestClip, folder: Path, form: VideoForm, prompt: str) -> None:
    """demo.py's get_condition: a folder with demo.jpg, demo.json of {"1": {"mask_name", "trajectory"}}, and a mask picture a
    drag. Its radius and feature come from the mask, which Drag-a-Move does not publish: the whole object is given, and the
    page says so.
    """
    if clip.foreground is None:
        raise VideoError(f"{clip.id} has no foreground, and DragAnything wants a mask a drag: give {clip.id}.mask.png")
    place = folder / clip.id
    place.mkdir(exist_ok=True)
    _picture(clip, place / "demo.jpg", form)
    mask = np.repeat(np.where(clip.foreground, 0, 255).astype(np.uint8)[..., None], 3, 2)  # padded with white, then turned over
    padded = 255 - np.asarray(pad(Image.fromarray(mask), form.size))
    with whole_file(place / "mask.png") as partial:
        Image.fromarray(np.where(padded > 127, 255, 0).astype(np.uint8)).save(partial, format="PNG")
    _json({str(k): {"comment": "", "mask_name": "mask.png", "trajectory": path}
           for k, path in enumerate(_inside(clip.drags, form), 1)}, place / "demo.json")


def _dragapart(clip: TestClip, folder: Path, form: VideoForm, prompt: str) -> None:
    """dataset.py: drags (10, 4) of x, y, u, v in [0, 1], zero where there is none; an image model, so one set a frame with
    ends that move along the drag (App. C.2: "gradually extending drags").
    """
    _picture(clip, folder / f"{clip.id}.png", form)
    points = clip.drags.resample(form.frames).points[:10]
    drags = np.zeros((form.frames, 10, 4), np.float32)
    drags[:, : len(points), :2] = points[None, :, 0]
    drags[:, : len(points), 2:] = points.transpose(1, 0, 2)
    _array(drags, folder / f"{clip.id}.npy")


def _wan_move(clip: TestClip, folder: Path, form: VideoForm, prompt: str) -> dict:
    """wan/wan_move.py: track (1, F, K, 2) in pixels of the picture and visibility (1, F, K), 81 frames, 832×480."""
    _picture(clip, folder / f"{clip.id}.jpg", form)
    paths = _paths(clip.drags, form).transpose(1, 0, 2)[None]  # (1, F, K, 2)
    _array(paths.astype(np.float32), folder / f"{clip.id}_tracks.npy")
    _array(((paths >= 0) & (paths < form.size)).all(3), folder / f"{clip.id}_visibility.npy")
    return {"image": f"{clip.id}.jpg", "track": f"{clip.id}_tracks.npy", "track_visibility": f"{clip.id}_visibility.npy",
            "prompt": prompt, "save_file": f"{clip.id}.mp4"}


def _ati(clip: TestClip, folder: Path, form: VideoForm, prompt: str) -> dict:
    """tools/trajectory_editor/app.py and wan/utils/motion.py: torch.save of the bytes of an .npz whose `array` (K, 121, 1, 3)
    is 8 times (x, y, visible), in pixels of the picture; examples/test.yaml lists image, text and track.
    """
    _picture(clip, folder / f"{clip.id}.png", form)
    paths = _paths(clip.drags, form, ATI_FRAMES)[:, :, None]  # (K, 121, 1, 2)
    seen = ((paths >= 0) & (paths < form.size)).all(3, keepdims=True)
    packed = io.BytesIO()
    np.savez_compressed(packed, array=(ATI_UNITS * np.concatenate([paths, seen], 3)).astype(np.float32))
    with whole_file(folder / f"{clip.id}.pth") as partial:
        torch.save(packed.getvalue(), partial)
    return {"image": f"{clip.id}.png", "text": prompt, "track": f"{clip.id}.pth"}


# How each method takes its inputs: what writes a clip's files into a folder, whose result goes into clips.yaml.
FORMATS: dict[str, tuple[VideoForm, Callable[[TestClip, Path, VideoForm, str], dict | None]]] = {
    "dragnuwa": (VideoForm((576, 320), 14), _dragnuwa),
    "draganything": (VideoForm((576, 320), 14), _draganything),
    "image_conductor": (VideoForm((384, 256), 16), _image_conductor),
    "dragapart": (VideoForm((256, 256), 14), _dragapart),
    "wan_move": (VideoForm((832, 480), WAN_FRAMES, "spread"), _wan_move),
    "ati": (VideoForm((832, 480), WAN_FRAMES, "spread"), _ati),
}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python book/_ext/exports.py", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("method", choices=FORMATS)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the clips, as for puppetmaster evaluate")
    parser.add_argument("--output", type=Path, required=True, help="the folder that gets METHOD/")
    parser.add_argument("--clips", type=int, help="how many (default: all)")
    parser.add_argument("--prompt", help="for methods that want a text (default: the paper's for this data, or none)")
    options = parser.parse_args(argv)
    folder = options.output / options.method
    if (folder / "inputs").exists():
        parser.error(f"{folder / 'inputs'}: is there already, and nothing is overwritten: choose another folder")

    def readable(suite):
        for name, clip in suite:
            if isinstance(clip, str):
                print(f"left out: {name}: {clip}", file=sys.stderr)
            else:
                yield clip

    try:
        suite = open_suite(options.data).first(options.clips)
        prompt = PROMPTS.get(suite.name, "") if options.prompt is None else options.prompt
        print(f"{export(options.method, readable(suite), folder, prompt)} clips in {folder / 'inputs'}")
    except (VideoError, DragError, OSError) as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
