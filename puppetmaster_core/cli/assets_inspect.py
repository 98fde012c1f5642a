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

from puppetmaster_core.cli.arguments import BadInput, counted

HELP = "say what is in animated .glb and .gltf files"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="a .glb or .gltf file (glTF 2.0)")


def run(arguments: argparse.Namespace) -> None:
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
                print(_text(found) if "error" not in found else f"{found['error']}\n", flush=True)
    if failures:
        several = f"{len(failures)} of {count} files cannot be read, the first: "
        raise BadInput(f"{several if count > 1 else ''}{failures[0]}")


def _text(found: dict) -> str:
    low, high = found["bounds"]
    size = " × ".join(f"{b - a:.3g}" for a, b in zip(low, high, strict=True))
    source, parts = found["provenance"], found["submodels"]
    lines = [found["file"],
             f"  category {found['category']}, licence {source.get('licence') or source.get('copyright') or 'not stated'}",
             f"  {found['vertices']:,} vertices, {counted(found['triangles'], 'triangle')}, size {size}",
             f"  {counted(len(parts), 'sub-model')} (triangles): "
             + ", ".join(f"{part['name']} ({part['triangles']:,})" for part in parts)]
    for material in found["materials"]:
        texture = "no texture" if material["texture"] is None else "texture {} × {}".format(*material["texture"])
        lines.append(f"  material: colour {', '.join(f'{c:.2f}' for c in material['color'])}, {texture}, {material['alpha']}")
    for clip in found["clips"]:
        motion = "nothing to measure" if clip["motion"] is None else f"moves by {clip['motion']:.1%} of the diagonal"
        how = f"{' and '.join(clip['kinds']) or 'no motion'}, {', '.join(clip['interpolation']) or 'no keys'}"
        lines.append(f"  clip {clip['name']}: {clip['seconds']:.3f} s, {how}, {motion}")
    lines += [f"  note: {line}" for line in found["report"]]
    return "\n".join(lines) + "\n"
