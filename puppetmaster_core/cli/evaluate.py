"""Score models, references and any method's videos: on procedural clips never trained on, on Drag-a-Move, or on any videos.

Without --data: a model on cabinets, or with --kinds all on every category of the procedural library, beside repeating frame 1
and what its latents make of the true motion. With --data FOLDER: Table 1. FOLDER
holds Drag-a-Move's test clips (ID.npz or ID.pkl with ID.gif), or any videos (CLIP.mp4, CLIP.gif or a folder of PNG pictures, with
CLIP.json for the drags and CLIP.mask.png for the object). --methods FOLDER adds a row for each METHOD/ in it, whose videos are
METHOD/CLIP.mp4 or .gif; METHOD/method.json, which `book/_ext/exports.py` writes, says how they are brought back to the square. A
folder called Human3.6M gets the paper's figures for it underneath. --videos FOLDER keeps the models' videos in the same layout.

examples:
  puppetmaster evaluate --model tiny --clips 64 --output results/tiny_cabinets.json
  puppetmaster evaluate --model tiny --kinds all --clips 256 --output results/tiny_library.json
  puppetmaster evaluate --data drag_a_move --model mini --methods others --tracker cotracker2 --output results/table1.json
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from puppetmaster_core.cli.arguments import SEEDS, BadInput, check_file, load_pipeline, made_now, whole
from puppetmaster_core.evaluation.progress import Progress
from puppetmaster_core.files import write_json
from puppetmaster_core.presets import SOLVERS
from puppetmaster_core.provenance import commit

HELP = "score a model on unseen clips, and make Table 1"
NO_MODEL = "none"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--model", action="append", metavar="MODEL",
        help="a shipped model, a folder, or OWNER/NAME on the hub (default: tiny); with --data several, or none")
    add("--clips", type=whole(2, 100_000), help="how many (default: 64, or all of --data)")
    add("--kinds", metavar="KIND",
        help="cabinets; all, every category of the library in turn; or one of its categories or groups, see "
             "`puppetmaster assets make --help` (default: cabinets)")
    add("--straight", action="store_true", help="straight drags, as Drag-a-Move's, instead of true paths")
    add("--steps", type=whole(1, 1000), help="sampling steps (default: the model's)")
    add("--solver", choices=SOLVERS, help="sampling method (default: the model's)")
    add("--seed", type=whole(0, SEEDS - 1), default=0, help="of the noise (default: 0)")
    add("--data", type=Path, metavar="FOLDER", help="make Table 1 on the clips of this folder")
    add("--methods", type=Path, metavar="FOLDER", help="with --data: other methods' videos")
    add("--frames", type=whole(2, 1000), default=14, help="with --data of videos: frames a clip (default: 14)")
    add("--size", type=whole(16, 1024), default=256, help="with --data: pixels a side (default: 256)")
    add("--tracker", choices=("none", "lk", "dis", "cotracker2", "cotracker3"), default="none",
        help="with --data: motion errors by this tracker; lk and dis are rough (default: none)")
    add("--tracker-weights", metavar="FILE", help="CoTracker's, for its git install; without: torch.hub")
    add("--perceptual", nargs="+", default=[], choices=("lpips", "lpips-vgg", "st-lpips", "fvd-i3d", "fvd-videomae"),
        help="with --data: these too, one of the first two; st-lpips needs the extra of that name, the others the extra "
             "`perceptual` and weights")
    add("--videos", type=Path, metavar="FOLDER",
        help="keep what the models make, for --methods or to count by hand: MODEL/CLIP/, a PNG a frame, and MODEL/CLIP.json, "
             "its drags")
    add("--output", type=Path, metavar="SCORES.json",
        help="write the summary and every clip's scores; after a kill the same command goes on from here")


def run(arguments: argparse.Namespace) -> tuple[dict, str]:
    check_together(arguments)
    output, began = arguments.output, time.perf_counter()
    check_file(output)
    with Progress(output) as progress:
        record, shown = (_table_1 if arguments.data else _exact)(arguments, progress)
        if output:
            write_json(output, {**record, **made_now(), "seconds": round(time.perf_counter() - began, 1)})
            progress.done()  # the result first; what it was made from goes once it is there
    return record["summary"], shown


def check_together(arguments: argparse.Namespace) -> None:
    """Raise BadInput where arguments do not fit together."""
    models = arguments.model or ["tiny"]
    if not arguments.data:
        given = {"--methods": arguments.methods, "--tracker": arguments.tracker != "none", "--perceptual": arguments.perceptual}
        for name in (name for name, value in given.items() if value):
            raise BadInput(f"got {name} without --data, expected the folder of the clips it is about")
        if len(models) > 1 or models == [NO_MODEL]:
            raise BadInput(f"got {len(models)} models ({', '.join(models)}), expected one: procedural clips judge one at a time")
    elif arguments.straight:
        raise BadInput("got --straight with --data, whose clips bring their own drags: leave it out")
    elif arguments.kinds:
        raise BadInput("got --kinds with --data, which says what the clips are: leave one out")
    elif arguments.videos and models == [NO_MODEL]:
        raise BadInput("got --videos with --model none, expected a model that makes some: leave one out")


def _exact(arguments: argparse.Namespace, progress: Progress) -> tuple[dict, str]:
    """The result on procedural clips, and how it is shown."""
    from tqdm import tqdm

    from puppetmaster_core.evaluation.exact import evaluate
    from puppetmaster_core.evaluation.subjects import unseen_source, unseen_subjects
    from puppetmaster_core.evaluation.videos import model_folder

    (model,), kinds, count = arguments.model or ["tiny"], arguments.kinds or "cabinets", arguments.clips or 64
    unseen_source(kinds)  # before a model is loaded
    pipeline = load_pipeline(model, quiet=True)
    sampling = {"steps": arguments.steps or pipeline.config.steps, "solver": arguments.solver}
    settings = {"kind": "library", "kinds": kinds, "model": model, "seed": arguments.seed, "straight": arguments.straight,
                **sampling}
    videos = arguments.videos and arguments.videos.resolve()
    progress.begin(settings | {"commit": commit(), "videos": videos and str(videos)})
    clips = unseen_subjects(count, pipeline.config.size, pipeline.config.frames, kinds,
                            "drag-a-move" if arguments.straight else "paper")
    results = evaluate(pipeline, tqdm(clips, total=count, desc="evaluating"), seed=arguments.seed, progress=progress,
                       videos=model_folder(videos, model, again=progress.resumed), **sampling)
    return {**settings, "device": str(pipeline.device), "summary": results.summary, "clips": results.clips}, str(results)


def _table_1(arguments: argparse.Namespace, progress: Progress) -> tuple[dict, str]:
    """Table 1's result, and how it is shown."""
    from puppetmaster_core.evaluation import table1
    from puppetmaster_core.evaluation.scores import Judges
    from puppetmaster_core.evaluation.suites import open_suite
    from puppetmaster_core.evaluation.tables import table_1_text

    models = [] if arguments.model == [NO_MODEL] else arguments.model or ["tiny"]
    sampling = {name: getattr(arguments, name) for name in ("steps", "solver") if getattr(arguments, name) is not None}
    suite = open_suite(arguments.data, arguments.size, arguments.frames).first(arguments.clips)
    judges = Judges.load(arguments.tracker, arguments.tracker_weights, arguments.perceptual)
    rows = [table1.STATIC_COPY, table1.BLEND, *(table1.folder_rows(arguments.methods) if arguments.methods else [])]
    table1.check_names([*(row.name for row in rows), *models])  # before a model is loaded
    pipelines = {name: load_pipeline(name, quiet=True) for name in models}
    record = table1.table_1(suite, rows, pipelines, judges, seed=arguments.seed, sampling=sampling, progress=progress,
                            videos=arguments.videos and arguments.videos.resolve())
    return record, table_1_text(record)
