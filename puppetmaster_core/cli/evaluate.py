"""Score models, references and any method's videos: on procedural clips never trained on, on Drag-a-Move, or on any videos.

Without --data: a model on cabinets, or with --kinds all on every category of the procedural library, beside repeating frame 1
and what its latents make of the true motion. With --data FOLDER: Table 1. FOLDER
holds Drag-a-Move's test clips (ID.npz or ID.pkl with ID.gif), or any videos (CLIP.mp4, CLIP.gif or a folder of PNG pictures, with
CLIP.json for the drags and CLIP.mask.png for the object). --methods FOLDER adds a row for each METHOD/ in it, whose videos are
METHOD/CLIP.mp4 or .gif; METHOD/method.json, which `puppetmaster export` writes, says how they are brought back to the square. A
folder called Human3.6M gets the paper's figures for it underneath. --videos FOLDER keeps the models' videos in the same layout.

examples:
  puppetmaster evaluate --model tiny --clips 64 --output results/tiny_cabinets.json
  puppetmaster evaluate --model tiny --kinds all --clips 256 --output results/tiny_library.json
  puppetmaster evaluate --data drag_a_move --model mini --methods others --tracker cotracker2 --output results/table1.json
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from pathlib import Path

from puppetmaster_core.cli.arguments import BadInput, whole
from puppetmaster_core.cli.models import bad_input, load
from puppetmaster_core.evaluation.progress import Progress, ProgressError
from puppetmaster_core.files import try_writing, write_json

HELP = "score a model on unseen clips, and make Table 1"
NO_MODEL, CABINETS = "none", "cabinets"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", action="append", metavar="MODEL",
                        help="a shipped model, a folder, or OWNER/NAME on the hub (default: tiny); with --data several, or none")
    parser.add_argument("--clips", type=whole(2, 100_000), help="how many (default: 64, or all of --data)")
    parser.add_argument("--kinds", metavar="KIND",
                        help="cabinets; all, every category of the library in turn; or one of its categories or groups, "
                             "see `puppetmaster assets make --help` (default: cabinets)")
    parser.add_argument("--straight", action="store_true", help="straight drags, as Drag-a-Move's, instead of true paths")
    parser.add_argument("--steps", type=whole(1, 1000), help="sampling steps (default: the model's)")
    parser.add_argument("--solver", choices=("euler", "dpm++", "ays"), help="sampling method (default: the model's)")
    parser.add_argument("--seed", type=whole(0, 2**32 - 1), default=0, help="of the noise (default: 0)")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="make Table 1 on the clips of this folder")
    parser.add_argument("--methods", type=Path, metavar="FOLDER", help="with --data: other methods' videos")
    parser.add_argument("--frames", type=whole(2, 1000), default=14, help="with --data of videos: frames a clip (default: 14)")
    parser.add_argument("--size", type=whole(16, 1024), default=256, help="with --data: pixels a side (default: 256)")
    parser.add_argument("--tracker", choices=("none", "lk", "dis", "cotracker2", "cotracker3"), default="none",
                        help="with --data: motion errors by this tracker; lk and dis are rough (default: none)")
    parser.add_argument("--tracker-weights", metavar="FILE", help="CoTracker's, for its git install; without: torch.hub")
    parser.add_argument("--perceptual", nargs="+", default=[],
                        choices=("lpips", "lpips-vgg", "st-lpips", "fvd-i3d", "fvd-videomae"),
                        help="with --data: these too, one of the first two; st-lpips needs the extra of that name, the others "
                             "the extra `perceptual` and weights")
    parser.add_argument("--videos", type=Path, metavar="FOLDER",
                        help="keep what the models make, for --methods or to count by hand: MODEL/CLIP/, a PNG a frame, and "
                             "MODEL/CLIP.json, its drags")
    parser.add_argument("--output", type=Path, metavar="SCORES.json",
                        help="write the summary and every clip's scores; after a kill the same command goes on from here")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def run(arguments: argparse.Namespace) -> None:
    output = arguments.output
    if output:
        if output.is_dir():
            raise BadInput(f"{output}: this is a folder, expected a file for the scores: choose another name")
        try:
            try_writing(output)
        except OSError as error:
            raise BadInput(f"{output}: cannot be written ({error.strerror}): choose another place") from None
    began = time.perf_counter()
    try:
        with Progress(output) as progress:
            record, shown = (_table_1 if arguments.data else _procedural)(arguments, progress)
            if output:
                from puppetmaster_core.provenance import commit

                about = {"command": shlex.join(["puppetmaster", *sys.argv[1:]]), "commit": commit()}
                _write(output, {**record, **about, "seconds": round(time.perf_counter() - began, 1)}, progress)
    except ProgressError as error:
        raise BadInput(str(error)) from None
    print(json.dumps(record["summary"]) if arguments.json else shown)


def _write(output: Path, record: dict, progress: Progress) -> None:
    """The result first; what it was made from goes once it is there."""
    try:
        write_json(output, record)
    except OSError as error:
        raise BadInput(f"{output}: cannot be written ({error.strerror}), the scores are kept in {progress.path}: make room there "
                       "and start the same command again") from None
    progress.done()


def _procedural(arguments: argparse.Namespace, progress: Progress) -> tuple[dict, str]:
    """The result on procedural clips, and how it is shown."""
    models = arguments.model or ["tiny"]
    given = {"--methods": arguments.methods, "--tracker": arguments.tracker != "none", "--perceptual": arguments.perceptual}
    for name in (name for name, value in given.items() if value):
        raise BadInput(f"got {name} without --data, expected the folder of the clips it is about")
    if len(models) > 1 or models == [NO_MODEL]:
        raise BadInput(f"got {len(models)} models ({', '.join(models)}), expected one: procedural clips judge one at a time")
    kinds, clips = arguments.kinds or CABINETS, arguments.clips or 64
    from puppetmaster_core.clips.sources import SourceError
    from puppetmaster_core.evaluation.library import evaluate_library, table
    from puppetmaster_core.evaluation.subjects import unseen_source
    from puppetmaster_core.evaluation.videos import VideoError

    try:
        unseen_source(kinds)  # before a model is loaded
        with bad_input():
            pipeline = load(models[0])
        pipeline.set_progress_bar_config(disable=True)
        sampling = {"steps": arguments.steps or pipeline.config.steps, "solver": arguments.solver}
        options = {"seed": arguments.seed, "straight": arguments.straight, **sampling}
        kept = {"progress": progress, "model": models[0], "videos": arguments.videos and arguments.videos.resolve()}
        with bad_input():
            summary, scores = evaluate_library(pipeline, clips, kinds, **kept, **options)
    except SourceError as error:
        raise BadInput(f"--kinds: {error}") from None
    except VideoError as error:
        raise BadInput(f"--videos: {error}") from None
    record = {"kind": "library", "kinds": kinds, "model": models[0], "device": str(pipeline.device), **options,
              "summary": summary, "clips": scores}
    return record, table(summary)


def _table_1(arguments: argparse.Namespace, progress: Progress) -> tuple[dict, str]:
    """Table 1's result, and how it is shown."""
    if arguments.straight:
        raise BadInput("got --straight with --data, whose clips bring their own drags: leave it out")
    if arguments.kinds:
        raise BadInput("got --kinds with --data, which says what the clips are: leave one out")
    from puppetmaster_core.drags import DragError
    from puppetmaster_core.evaluation import report
    from puppetmaster_core.evaluation.perceptual import MetricError
    from puppetmaster_core.evaluation.suites import open_suite
    from puppetmaster_core.evaluation.table1 import check_names
    from puppetmaster_core.evaluation.trackers import TrackerError
    from puppetmaster_core.evaluation.videos import VideoError

    models = [] if arguments.model == [NO_MODEL] else arguments.model or ["tiny"]
    if arguments.videos and not models:
        raise BadInput("got --videos with --model none, expected a model that makes some: leave one out")
    sampling = {name: getattr(arguments, name) for name in ("steps", "solver") if getattr(arguments, name) is not None}
    try:
        suite = open_suite(arguments.data, arguments.size, arguments.frames).first(arguments.clips)
        judges = report.judges(arguments.tracker, arguments.tracker_weights, arguments.perceptual)
        rows = report.reference_rows(arguments.methods)
        check_names([*(row.name for row in rows), *models])  # before a model is loaded
        with bad_input():
            pipelines = {name: load(name) for name in models}
        for pipeline in pipelines.values():
            pipeline.set_progress_bar_config(disable=True)
        record = report.table_1(suite, rows, pipelines, judges, seed=arguments.seed, sampling=sampling, progress=progress,
                                videos=arguments.videos and arguments.videos.resolve())
    except (DragError, MetricError, TrackerError, VideoError) as error:
        raise BadInput(str(error)) from None
    return record, report.table_1_text(record)
