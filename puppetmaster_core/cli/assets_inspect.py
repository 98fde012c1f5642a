"""Say what is in animated 3D files: sub-models, materials, clips, and the defects that were mended while reading.

A file that cannot be read is named with the cause, and the others are still inspected.

example:
  puppetmaster assets inspect chest.glb
  puppetmaster assets inspect --json *.glb > assets.jsonl
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from puppetmaster_core.cli.arguments import BadInput

HELP = "say what is in animated .glb and .gltf files"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="a .glb or .gltf file (glTF 2.0)")
    parser.add_argument("--json", action="store_true", help="print one JSON object a file, on one line")


def run(arguments: argparse.Namespace) -> None:
    from tqdm import tqdm

    failures = []
    for path in tqdm(arguments.files, unit="file", disable=len(arguments.files) < 2 or None):
        try:
            found = inspect(path)
        except ValueError as error:
            failures.append(str(error))
            found = {"file": str(path), "error": str(error)}
        with tqdm.external_write_mode():
            if arguments.json:
                print(json.dumps(found), flush=True)
            elif "error" not in found:
                print(_text(found), flush=True)
            elif len(arguments.files) > 1:
                print(f"{found['error']}\n", flush=True)
    if len(arguments.files) == 1 and failures:
        raise BadInput(failures[0])
    if failures:
        raise BadInput(f"{len(failures)} of {len(arguments.files)} files cannot be read, the first: {failures[0]}")


def inspect(path: Path) -> dict:
    """What `describe` says of one file, and its name. Raises AssetError (a ValueError)."""
    from puppetmaster_core.assets import load_asset
    from puppetmaster_core.assets.gltf.describe import describe

    return {"file": str(path), **describe(load_asset(path))}


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _text(found: dict) -> str:
    low, high = found["bounds"]
    size = " × ".join(f"{b - a:.3g}" for a, b in zip(low, high, strict=True))
    source, parts = found["provenance"], found["submodels"]
    lines = [found["file"],
             f"  category {found['category']}, licence {source.get('licence') or source.get('copyright') or 'not stated'}",
             f"  {found['vertices']:,} vertices, {_count(found['triangles'], 'triangle')}, size {size}",
             f"  {_count(len(parts), 'sub-model')} (triangles): " + ", ".join(f"{p['name']} ({p['triangles']:,})" for p in parts)]
    for material in found["materials"]:
        texture = "no texture" if material["texture"] is None else "texture {} × {}".format(*material["texture"])
        lines.append(f"  material: colour {', '.join(f'{c:.2f}' for c in material['color'])}, {texture}, {material['alpha']}")
    for clip in found["clips"]:
        motion = "nothing to measure" if clip["motion"] is None else f"moves by {clip['motion']:.1%} of the diagonal"
        how = f"{' and '.join(clip['kinds']) or 'no motion'}, {', '.join(clip['interpolation']) or 'no keys'}"
        lines.append(f"  clip {clip['name']}: {clip['seconds']:.3f} s, {how}, {motion}")
    lines += [f"  note: {line}" for line in found["report"]]
    return "\n".join(lines) + "\n"
