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
import time
from collections import Counter
from pathlib import Path

from puppetmaster_core.cli.arguments import BadInput, check_new, whole
from puppetmaster_core.files import whole_file

HELP = "make procedural animated objects as .glb files"
ON_SHEET = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--category", required=True, metavar="NAME[,NAME]", help="categories or groups, taken in turn")
    add("--count", type=whole(1, 10**7), required=True, help="how many assets")
    add("--seed", type=whole(0, 10**9), default=0, help="number of each category's first asset (default: 0)")
    add("--output", type=Path, required=True, metavar="DIR", help="a new folder, or one of an earlier run")
    add("--sheet", type=Path, metavar="PICTURE.png", help=f"also draw the first {ON_SHEET} assets")


def run(arguments: argparse.Namespace) -> tuple[dict, str]:
    from tqdm import tqdm

    from puppetmaster_core.assets import asset_source

    began, output, sheet = time.perf_counter(), arguments.output, arguments.sheet
    source = asset_source()
    plan = source.planned(source.categories_of(arguments.category), arguments.count, arguments.seed)
    source.check_folder(output)
    if sheet and sheet.suffix.lower() != ".png":
        raise BadInput(f"{sheet}: expected a name that ends in .png for the sheet: choose another name")
    check_new(sheet)
    rows = source.make_library(output, plan, progress=lambda todo: tqdm(todo, desc="making", unit="asset"))
    if sheet:
        _draw(sheet, plan[:ON_SHEET])
    report = {"output": str(output), "assets": len(rows), "seconds": round(time.perf_counter() - began, 2),
              "bytes": sum(row["bytes"] for row in rows), "kinds": Counter(row["kind"] for row in rows),
              "labels": Counter(row["category"] for row in rows)}
    kinds = ", ".join(f"{n} {kind}" for kind, n in report["kinds"].items())
    size = f"{report['bytes'] / 1e6:.1f} MB, {report['seconds']:.1f} s"
    return report, f"{output}: {len(rows)} assets ({kinds}), {size}"


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
