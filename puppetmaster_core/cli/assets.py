"""Animated 3D assets: make procedural ones, or say what is in files.

`make` writes standard .glb files, and manifest.csv, which says what each one is. Asset number SEED of a category is the same file
wherever it is made. The same command goes on where it was stopped; another seed or category adds to the folder. Groups of
categories: furniture, bodies, daily, soft, bad (animations that curation must reject), good (all but bad), all.

`inspect` says what is in a file: sub-models, materials, clips, and the defects that were mended while reading. A file that cannot
be read is named with the cause, and the others are still inspected.

example:
  puppetmaster assets make --category furniture,human --count 100 --output assets/mixed
  puppetmaster assets inspect --json *.glb > assets.jsonl
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path

from puppetmaster_core.cli.arguments import BadInput, add_run, whole

HELP = "make procedural animated objects, or inspect .glb and .gltf files"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    add_run(make := actions.add_parser("make", help="make procedural animated objects as .glb files"), run_make)
    make.add_argument("--category", required=True, metavar="NAME[,NAME]", help="categories or groups, taken in turn")
    make.add_argument("--count", type=whole(1, 10**7), required=True, help="how many assets")
    make.add_argument("--seed", type=whole(0, 10**9), default=0, help="number of each category's first asset (default: 0)")
    make.add_argument("--output", type=Path, required=True, metavar="DIR", help="a new folder, or one of an earlier run")
    add_run(inspect := actions.add_parser("inspect", help="say what is in animated .glb and .gltf files"), run_inspect)
    inspect.add_argument("files", metavar="FILE", nargs="+", type=Path, help="a .glb or .gltf file (glTF 2.0)")


def run_make(arguments: argparse.Namespace) -> dict:
    from tqdm import tqdm

    from puppetmaster_core.assets import asset_source

    began, output, source = time.perf_counter(), arguments.output, asset_source()
    plan = source.planned(source.categories_of(arguments.category), arguments.count, arguments.seed)
    source.check_folder(output)
    rows = source.make_library(output, plan, progress=lambda todo: tqdm(todo, desc="making", unit="asset"))
    return {"output": str(output), "assets": len(rows), "seconds": round(time.perf_counter() - began, 2),
            "bytes": sum(row["bytes"] for row in rows), "kinds": Counter(row["kind"] for row in rows),
            "labels": Counter(row["category"] for row in rows)}


def run_inspect(arguments: argparse.Namespace) -> None:
    from tqdm import tqdm

    from puppetmaster_core.assets import load_asset
    from puppetmaster_core.assets.gltf.describe import describe

    failures, count = [], len(arguments.files)
    for path in tqdm(arguments.files, unit="file", disable=count < 2 or None):
        try:
            found = {"file": str(path), **describe(load_asset(path))}
        except ValueError as error:
            failures.append(str(error))
            found = {"file": str(path), "error": str(error)}
        with tqdm.external_write_mode():
            if arguments.json:
                print(json.dumps(found), flush=True)
            elif "error" not in found or count > 1:
                print(found.get("error") or _text(found), flush=True)
    if failures:
        raise BadInput(f"{len(failures)} of {count} files cannot be read, the first: {failures[0]}" if count > 1 else failures[0])


def _text(found: dict) -> str:
    low, high = found["bounds"]
    size = " × ".join(f"{b - a:.3g}" for a, b in zip(low, high, strict=True))
    source, parts = found["provenance"], found["submodels"]
    lines = [found["file"],
             f"  category {found['category']}, licence {source.get('licence') or source.get('copyright') or 'not stated'}",
             f"  vertices {found['vertices']:,}, triangles {found['triangles']:,}, size {size}",
             "  sub-models (triangles): " + ", ".join(f"{part['name']} ({part['triangles']:,})" for part in parts)]
    for material in found["materials"]:
        texture = "no texture" if material["texture"] is None else "texture {} × {}".format(*material["texture"])
        lines.append(f"  material: colour {', '.join(f'{c:.2f}' for c in material['color'])}, {texture}, {material['alpha']}")
    for clip in found["clips"]:
        motion = "nothing to measure" if clip["motion"] is None else f"moves by {clip['motion']:.1%} of the diagonal"
        how = f"{' and '.join(clip['kinds']) or 'no motion'}, {', '.join(clip['interpolation']) or 'no keys'}"
        lines.append(f"  clip {clip['name']}: {clip['seconds']:.3f} s, {how}, {motion}")
    return "\n".join([*lines, *(f"  note: {line}" for line in found["report"])]) + "\n"
