"""Animate a picture: what the drags pull at moves along them.

example:
  puppetmaster animate cabinet.png --drags cabinet.json --output cabinet.gif

A drag file looks like this, in pixels of the picture, with two points or a whole path for each drag:
  {"format": "puppetmaster.drags/1", "image_size": [256, 256], "drags": [{"points": [[96, 140], [60, 170]]}]}
A clip of Drag-a-Move works too: its ID.gif as IMAGE (frame 1 is taken) and its ID.npz as drags.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from itertools import pairwise
from pathlib import Path

from puppetmaster_core.cli.arguments import MODEL, SEEDS, BadInput, load_pipeline, number, whole
from puppetmaster_core.isolation import stderr_to
from puppetmaster_core.presets import QUALITIES, SOLVERS

HELP = "move the parts of a picture along drags"
SHOWN = 256  # pixels; videos of small models are enlarged to about this
SAME_SHAPE = 0.02  # how far two aspect ratios may differ, relatively: pictures are scaled to whole pixels


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("image", type=Path, metavar="IMAGE", help="any picture; frame 1 of an animated one")
    add("--drags", type=Path, required=True, metavar="D.json", help="drags on the picture, .json or .npz")
    add("--output", type=Path, required=True, metavar="OUT.gif", help="NAME.gif, NAME.mp4, or a new folder for one PNG a frame")
    add("--model", default="tiny", help=MODEL)
    add("--quality", choices=QUALITIES, help="a measured solver, steps and guidance")
    add("--steps", type=whole(1, 1000), help="sampling steps (default: the quality's, or the model's)")
    add("--guidance", type=number(1, 100), metavar="W",
        help="how firmly the last frame follows the drags, from 1 (default: the model's)")
    add("--solver", choices=SOLVERS, help="sampling method (default: likewise)")
    add("--seed", type=whole(0, SEEDS - 1), default=0, help="another seed, another video (default: 0)")
    add("--overlay", action="store_true", help="draw the drags over the video")
    add("--upscale", type=whole(1, 16), metavar="TIMES", help=f"enlarge the frames (default: to about {SHOWN} pixels)")
    add("--fps", type=number(1, 50), help="frames a second (default: the model's)")


def run(arguments: argparse.Namespace) -> tuple[dict, str]:
    clock = [time.perf_counter()]
    picture, drags = _check(arguments)
    clock.append(time.perf_counter())
    pipeline = load_pipeline(arguments.model)
    clock.append(time.perf_counter())
    try:
        least, most = pipeline.sampling(arguments.quality).min_guidance, arguments.guidance
    except ValueError as error:  # a model with qualities of its own names
        raise BadInput(f"--quality: {error}") from error
    video = pipeline(picture, drags, quality=arguments.quality, steps=arguments.steps, max_guidance=most,
                     min_guidance=min(least, most or least), solver=arguments.solver, seed=arguments.seed)
    clock.append(time.perf_counter())
    times = arguments.upscale or max(1, round(SHOWN / max(video.frames.shape[1:3])))
    video.save(arguments.output, overlay=arguments.overlay, upscale=times, fps=arguments.fps)
    clock.append(time.perf_counter())
    count, height, width, _ = video.frames.shape
    seconds = [round(after - before, 2) for before, after in pairwise(clock)]
    report = {"output": str(arguments.output), "frames": count, "size": [width * times, height * times], "drags": len(drags),
              "model": arguments.model, "seed": arguments.seed,
              "seconds": dict(zip(("check", "load", "sample", "write"), seconds, strict=True))}
    size = f"{width * times}×{height * times}"
    return report, f"{arguments.output}: {count} frames of {size} pixels, in {sum(seconds):.1f} s"


def _check(arguments: argparse.Namespace):
    """The opened picture and the drags, once all input is known to be good. PyTorch is imported last."""
    from puppetmaster_core.checkpoints import find_model, read_model_index
    from puppetmaster_core.drags import DragError
    from puppetmaster_core.pictures import open_picture
    from puppetmaster_core.video import check_output

    check_output(arguments.output)
    for given in (arguments.image, arguments.drags):
        if all(map(os.path.exists, (given, arguments.output))) and os.path.samefile(given, arguments.output):
            raise BadInput(f"{arguments.output}: this is what you gave, expected a file to be made: choose another name")
    with open(os.devnull, "w") as nowhere, stderr_to(nowhere):  # libtiff and its like print what is said in one line anyway
        picture = open_picture(arguments.image)
    folder, frames = find_model(arguments.model), 14  # of a model on the hub the settings are not known yet
    if not isinstance(folder, str):
        frames = read_model_index(folder).get("frames", frames)
    drags = read_drags(arguments.drags, frames, picture.size)
    try:
        drags.check_inside(picture.size)
    except DragError as error:
        raise BadInput(f"{arguments.drags}: {error}") from None
    return picture, drags


def read_drags(path: Path, frames: int, picture: tuple[int, int]):
    """Drags over `frames` frames, of the project's JSON, or of Drag-a-Move's .npz or .pkl; picture: its size (W, H)."""
    from puppetmaster_core.drags import Drags

    if path.suffix.lower() in (".npz", ".pkl"):
        from puppetmaster_core.drag_a_move import read_drag_a_move

        return read_drag_a_move(path).resample(frames)
    drags = Drags.from_json(path, frames)
    drawn_on = json.loads(path.read_text(encoding="utf-8-sig"))["image_size"]
    if abs(drawn_on[0] * picture[1] / (drawn_on[1] * picture[0]) - 1) > SAME_SHAPE:
        drawn, given = ("×".join(map(str, size)) for size in (drawn_on, picture))
        raise BadInput(f"{path}: got drags on a picture of {drawn}, expected drags on this one, of {given}: draw them on it")
    return drags
