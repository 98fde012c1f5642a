"""Render animated 3D objects to training clips: WebDataset shards with exact tracks and drags, and a Parquet index.

SOURCE is a folder of .glb or .gltf files, one such file, 'library' (all good categories of the procedural library, in turn),
'library:NAME[,NAME]' with categories or groups, or 'cabinets'. The same command goes on where a run was stopped or killed: no
clip is lost or doubled, and at most one shard is made again. An asset that fails, hangs or crashes costs itself only;
OUTPUT/report.json says which and why.

example:
  puppetmaster render library:storage --count 1000 --size 64 --output clips/storage
  puppetmaster render models/ --size 256 --views 12 --setting release --output clips/models --cache-features tiny
  duckdb -c "SELECT category, count(*) FROM 'clips/models/index/*.parquet' GROUP BY ALL"
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from puppetmaster_core.cli.arguments import BadInput, check_folder, load_pipeline, need, number, whole
from puppetmaster_core.files import write_json

HELP = "render animated 3D objects to training clips"
FILMING = ("size", "frames", "views", "setting", "background", "rules", "renderer", "fps", "seed", "field_size")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("source", metavar="SOURCE", help="a folder of .glb or .gltf files, a file, library[:NAME] or cabinets")
    add("--output", type=Path, required=True, metavar="DIR", help="the folder of the clips")
    add("--count", type=whole(1, 10**8), help="assets (default: 100 procedural ones, all files)")
    add("--first", type=whole(0, 10**9), default=0, help="seed of the first procedural asset (default: 0)")
    add("--size", type=whole(16, 2048), default=64, help="pixels a side (default: 64)")
    add("--frames", type=whole(2, 99), default=14, help="of a clip (default: 14)")
    add("--views", type=whole(1, 360), default=1, help="of each animation; the release has 12 (default: 1)")
    add("--fps", type=number(0.1, 1000), help="of a clip from a random start on (default: all of the animation)")
    add("--setting", choices=("drag-a-move", "release"), default="drag-a-move", help="cameras and lights (default: drag-a-move)")
    add("--background", choices=("white", "plain", "random"), default="white", help="(default: white)")
    add("--rules", choices=("paper", "released", "drag-a-move"), default="paper", help="of drags (paper)")
    add("--renderer", choices=("fast", "blender"), default="fast", help="blender: see `make blender` (fast)")
    add("--field-size", type=whole(0, 1024), default=64,
        help="pixels a side of the exact displacement that is kept; 0: none (default: 64)")
    add("--seed", type=whole(0, 2**31 - 1), default=0, help="of cameras and drags (default: 0)")
    add("--assets-a-shard", type=whole(1, 10**6), default=250, help="(default: 250)")
    add("--workers", type=whole(1, 1024), default=2, help="processes (default: 2)")
    add("--engine", choices=("local", "ray"), default="local", help="where they run (default: local)")
    add("--time-limit", type=number(0.1, 1e6), help="seconds a clip of an asset (default: 120; blender: 7200)")
    add("--memory", type=number(0.5, 4096), default=16, help="address space of a process in GiB (default: 16)")
    add("--retry", action="store_true", help="make the shards again in which an asset failed")
    add("--cache-features", metavar="MODEL", help="then encode all clips with a model's VAE and image encoder")


def run(arguments: argparse.Namespace) -> dict:
    from puppetmaster_core.clips.rendering import RenderPlan
    from puppetmaster_core.clips.sources import find_source
    from puppetmaster_core.clips.studio import Filming
    from puppetmaster_core.jobs import alone, settle

    folder = arguments.output
    check_folder(folder)
    if arguments.engine == "ray":
        need("ray", extra="scale-out")
    if arguments.renderer == "blender":
        from puppetmaster_core.render.blender import blender_python

        if blender_python() is None:
            raise BadInput("got --renderer blender, but Blender's Python module is not installed: `make blender`, or take fast")
    filming = Filming(**{name: getattr(arguments, name) for name in FILMING})
    plan = RenderPlan(find_source(arguments.source, arguments.count, arguments.first), filming, arguments.assets_a_shard)
    # first, so that hours are not spent before a wrong name is found
    model = load_pipeline(arguments.cache_features) if arguments.cache_features else None
    settle(folder, plan.to_dict())
    with alone(folder / "plan.json"):
        report = _make(folder, plan, arguments)
        if model:
            from puppetmaster_core.clips.features import cache_features

            report["features"] = str(cache_features(folder, model.vae, model.image_encoder))
        write_json(folder / "report.json", report)
    if not report["clips"]:
        causes = "".join(f", the first: {one['asset']}: {one['cause']}" for one in report["failures"][:1])
        raise BadInput(f"{folder}: got no clip of {report['assets']:,} assets, expected some: report.json there says why{causes}")
    return report


def _make(folder: Path, plan, arguments: argparse.Namespace) -> dict:
    """Make what is missing; the report."""
    from tqdm import tqdm

    from puppetmaster_core.clips.rendering import missing_shards, read_failures, render_shards
    from puppetmaster_core.clips.shards import count_notes, read_index

    began, clips, most = time.perf_counter(), 0, 0.0
    todo = missing_shards(folder, plan, arguments.retry)
    limit = arguments.time_limit or (7200 if arguments.renderer == "blender" else 120)
    memory = None if arguments.renderer == "blender" else arguments.memory  # Cycles maps far more than it uses
    options = {"workers": arguments.workers, "engine": arguments.engine, "time_limit": limit, "memory_gb": memory}
    assets = sum(len(plan.shards[shard]) for shard in todo)
    with tqdm(total=len(plan.source), initial=len(plan.source) - assets, desc="assets", file=sys.stderr) as bar:
        for outcome in render_shards(folder, plan, todo, **options):
            for failure in outcome.result["failures"]:
                tqdm.write(f"{failure['asset']}: {failure['cause']}", file=sys.stderr)
            clips += len(outcome.result["rows"])
            most = max(most, outcome.memory_mb)
            bar.set_postfix(clips=clips, refresh=False)
            bar.update()
    seconds, failures, index = time.perf_counter() - began, read_failures(folder), read_index(folder)
    return {"clips": index.num_rows, "assets": len(plan.source), "shards": len(plan.shards), "made now": clips,
            "seconds": round(seconds, 2), "clips/s": round(clips / seconds, 2), "workers": arguments.workers,
            "most memory of a worker, MB": round(most, 1),
            "assets with notes": count_notes(index), "failures": failures}
