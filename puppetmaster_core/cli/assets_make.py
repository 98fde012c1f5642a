"""Make procedural animated objects: standard .glb files, and manifest.csv, which says what each one is.

Asset number SEED of a category is the same file wherever it is made. The same command goes on where it was stopped; another
seed or category adds to the folder. Groups of categories: furniture, bodies, daily, soft, bad (animations that curation must
reject), good (all but bad), all. An unknown name is answered with what there is.

example:
  puppetmaster assets make --category storage --count 100 --seed 0 --output assets/storage
  puppetmaster assets make --category furniture,human,bad --count 300 --output assets/mixed --sheet assets.png
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path

from puppetmaster_core.cli.arguments import BadInput, whole
from puppetmaster_core.files import try_writing, whole_file

HELP = "make procedural animated objects as .glb files"
ON_SHEET = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--category", required=True, metavar="NAME[,NAME]", help="categories or groups, taken in turn")
    parser.add_argument("--count", type=whole(1, 10**7), required=True, help="how many assets")
    parser.add_argument("--seed", type=whole(0, 10**9), default=0, help="number of each category's first asset (default: 0)")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="a new folder, or one of an earlier run")
    parser.add_argument("--sheet", type=Path, metavar="PICTURE.png", help=f"also draw the first {ON_SHEET} assets")
    parser.add_argument("--json", action="store_true", help="print a summary as JSON")


def run(arguments: argparse.Namespace) -> None:
    from tqdm import tqdm

    from puppetmaster_core.assets import AssetSourceError, asset_source

    began = time.perf_counter()
    try:
        source = asset_source()
        plan = source.planned(source.categories_of(arguments.category), arguments.count, arguments.seed)
        source.check_folder(arguments.output)
        _check_sheet(arguments.sheet)
        rows = source.make_library(arguments.output, plan, progress=lambda todo: tqdm(todo, desc="making", unit="asset"))
    except AssetSourceError as error:
        raise BadInput(str(error)) from error
    except OSError as error:
        raise BadInput(f"{arguments.output}: cannot be written ({error.strerror}): choose another place") from None
    if arguments.sheet:
        _draw(arguments.sheet, plan[:ON_SHEET])
    summary = {"output": str(arguments.output), "assets": len(rows), "seconds": round(time.perf_counter() - began, 2),
               "bytes": sum(row["bytes"] for row in rows), "kinds": Counter(row["kind"] for row in rows),
               "labels": Counter(row["category"] for row in rows)}
    kinds = ", ".join(f"{n} {kind}" for kind, n in summary["kinds"].items())
    print(json.dumps(summary) if arguments.json else
          f"{arguments.output}: {len(rows)} assets ({kinds}), {summary['bytes'] / 1e6:.1f} MB, {summary['seconds']:.1f} s")


def _check_sheet(sheet: Path | None) -> None:
    if sheet is None:
        return
    if sheet.suffix.lower() != ".png":
        raise BadInput(f"{sheet}: expected a name that ends in .png for the sheet: choose another name")
    if sheet.exists():
        raise BadInput(f"{sheet}: is there already, and nothing is overwritten: choose another name")
    try:
        try_writing(sheet)
    except OSError as error:
        raise BadInput(f"{sheet}: cannot be written ({error.strerror}): choose another place") from None


def _draw(sheet: Path, plan: list[tuple[str, int]]) -> None:
    from PIL import Image
    from tqdm import tqdm

    from puppetmaster_core.assets import asset_source

    source = asset_source()
    assets = ((f"{category} {seed}", source.make_asset(category, seed))
              for category, seed in tqdm(plan, desc="drawing", unit="asset"))
    picture = Image.fromarray(source.contact_sheet(assets))
    with whole_file(sheet) as partial, open(partial, "wb") as file:
        picture.save(file, "PNG", optimize=True)
