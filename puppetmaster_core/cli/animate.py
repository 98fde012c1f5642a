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

from puppetmaster_core.cli.arguments import BadInput, number, quick_start, silent_libraries, whole
from puppetmaster_core.cli.drag_files import read_drags
from puppetmaster_core.cli.models import bad_input, load

HELP = "move the parts of a picture along drags"
SEEDS = 2**32  # PyTorch's generator on the CPU takes 32 bits of a seed
SHOWN = 256  # pixels; videos of small models are enlarged to about this


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", type=Path, metavar="IMAGE", help="any picture; frame 1 of an animated one")
    parser.add_argument("--drags", type=Path, required=True, metavar="D.json", help="drags on the picture, .json or .npz")
    parser.add_argument("--output", type=Path, required=True, metavar="OUT.gif",
                        help="NAME.gif, NAME.mp4, or a new folder for one PNG a frame")
    parser.add_argument("--model", default="tiny", help="a shipped model, a folder, or OWNER/NAME on the hub (default: tiny)")
    parser.add_argument("--quality", choices=("draft", "good", "paper"), help="a measured solver, steps and guidance")
    parser.add_argument("--steps", type=whole(1, 1000), help="sampling steps (default: the quality's, or the model's)")
    parser.add_argument("--guidance", type=number(1, 100), metavar="W",
                        help="how firmly the last frame follows the drags, from 1 (default: the model's)")
    parser.add_argument("--solver", choices=("euler", "dpm++", "ays"), help="sampling method (default: likewise)")
    parser.add_argument("--seed", type=whole(0, SEEDS - 1), default=0, help="another seed, another video (default: 0)")
    parser.add_argument("--overlay", action="store_true", help="draw the drags over the video")
    parser.add_argument("--upscale", type=whole(1, 16), metavar="TIMES",
                        help=f"enlarge the frames (default: to about {SHOWN} pixels)")
    parser.add_argument("--fps", type=number(1, 50), help="frames a second (default: the model's)")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")


def run(arguments: argparse.Namespace) -> None:
    clock = [time.perf_counter()]
    with bad_input():
        with quick_start():
            picture, drags = check(arguments)
            clock.append(time.perf_counter())
            pipeline = load(arguments.model)
        clock.append(time.perf_counter())
        least, most = _sampling(pipeline, arguments.quality).min_guidance, arguments.guidance
        video = pipeline(picture, drags, quality=arguments.quality, steps=arguments.steps, max_guidance=most,
                         min_guidance=min(least, most or least), solver=arguments.solver, seed=arguments.seed)
        clock.append(time.perf_counter())
        times = arguments.upscale or max(1, round(SHOWN / max(video.frames.shape[1:3])))
        video.save(arguments.output, overlay=arguments.overlay, upscale=times, fps=arguments.fps)
        clock.append(time.perf_counter())
    count, height, width, _ = video.frames.shape
    seconds = [round(after - before, 2) for before, after in pairwise(clock)]
    report = {
        "output": str(arguments.output), "frames": count, "size": [width * times, height * times], "drags": len(drags),
        "model": arguments.model, "seed": arguments.seed,
        "seconds": dict(zip(("check", "load", "sample", "write"), seconds, strict=True)),
    }
    if arguments.json:
        print(json.dumps(report))
    else:
        print(f"{arguments.output}: {count} frames of {width * times}×{height * times} pixels, in {sum(seconds):.1f} s")


def _sampling(pipeline, quality: str | None):
    try:
        return pipeline.sampling(quality)
    except ValueError as error:  # a model with qualities of its own names
        raise BadInput(f"--quality: {error}") from error


def check(arguments: argparse.Namespace):
    """The opened picture and the drags, once all input is known to be good. PyTorch is imported last."""
    from puppetmaster_core.checkpoints import check_model, find_model, read_index
    from puppetmaster_core.pictures import open_picture
    from puppetmaster_core.video import check_output

    check_output(arguments.output)
    for given in (arguments.image, arguments.drags):
        if all(map(os.path.exists, (given, arguments.output))) and os.path.samefile(given, arguments.output):
            raise BadInput(f"{arguments.output}: this is what you gave, expected a file to be made: choose another name")
    with silent_libraries():
        picture = open_picture(arguments.image)
    folder = find_model(arguments.model)
    if isinstance(folder, str):  # on the hub: its settings are not known yet
        return picture, _inside(arguments.drags, picture.size, 14)
    check_model(folder)
    return picture, _inside(arguments.drags, picture.size, read_index(folder).get("frames", 14))


def _inside(path: Path, size: tuple[int, int], frames: int):
    """The drags of a file, each with a point in the picture of `size` (W, H)."""
    from puppetmaster_core.drags import DragError

    drags = read_drags(path, frames, size)
    try:
        drags.check_inside(size)
    except DragError as error:
        raise DragError(f"{path}: {error}") from None
    return drags
