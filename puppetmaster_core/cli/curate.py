"""Find the animations that are worth learning from: identify, measure, let the forest decide, ask a judge.

ASSETS is a folder of .glb or .gltf files, one such file, 'library' or 'library:NAME[,NAME]' with categories or groups
(library:all holds the bad ones too), or, with a network, 'objaverse:animated' or 'objaverse:IDS.json', which is downloaded first.
OUTPUT gets animations.parquet (a row an animation: licence, SHA-256, metrics, verdict, why), assets.parquet, animation.json (the
ids that are kept), with a judge animation-HQ.json, and report.json. The same command goes on where a run was stopped or killed:
nothing is lost, and at most one part is measured again. An asset that fails, hangs or crashes costs itself only; report.json
says which and why.

example:
  puppetmaster curate models/ --output curated
  puppetmaster curate library:all --count 200 --output curated
  puppetmaster curate models/ --output curated --rank 0 --world-size 2     (and --rank 1 on another machine; one folder)
  PUPPETMASTER_JUDGE_URL=http://localhost:8000/v1 PUPPETMASTER_JUDGE_MODEL=NAME \\
    puppetmaster curate models/ --output curated --judge --price 2.5,10 --budget 5      (the key: PUPPETMASTER_JUDGE_KEY)
  puppetmaster curate models/ --output curated --judge-model SmolVLM-Instruct/        (a model of your own, on this machine)
  puppetmaster curate objaverse:animated --count 500 --download objaverse/ --output curated --official lists/
  puppetmaster render library:all --count 200 --output clips/all && \\
    puppetmaster curate library:all --count 200 --output curated --arms clips/all     (then: train --data curated/arms/curated)
  duckdb -c "SELECT verdict, count(*) FROM 'curated/animations.parquet' GROUP BY ALL"
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

from puppetmaster_core.cli.arguments import BadInput, check_folder, need, number, whole
from puppetmaster_core.files import write_json

HELP = "find the animations that are worth learning from"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("assets", metavar="ASSETS", help="a folder or file (.glb, .gltf), library[:NAME] or objaverse:…")
    add("--output", type=Path, required=True, metavar="DIR", help="the folder of the run")
    add("--count", type=whole(1, 10**8), help="assets (default: 100 procedural ones, all files)")
    add("--first", type=whole(0, 10**9), default=0, help="seed of the first procedural asset (default: 0)")
    add("--categories", type=Path, metavar="JSON", help="GObjaverse's categories: Poor-quality goes")
    add("--download", type=Path, metavar="DIR", help="where objaverse: puts its objects")
    add("--official", type=Path, metavar="DIR", help="the paper's id lists, to compare with")
    add("--arms", type=Path, metavar="CLIPS",
        help="clips rendered of these assets: make OUTPUT/arms/curated and /uncurated of them, to train on both")
    add("--forest", type=Path, metavar="DIR", help="of `puppetmaster forest` (default: the shipped one)")
    add("--assets-a-part", type=whole(1, 10**6), default=200, help="(default: 200)")
    add("--workers", type=whole(1, 1024), help="processes (default: 2, or the whole of a cluster that is joined)")
    add("--engine", choices=("local", "ray"), default="local", help="ray: on the cluster of $RAY_ADDRESS, or one here")
    add("--rank", type=whole(0, 10**6), default=0, help="which share of the run this machine does (default: 0)")
    add("--world-size", type=whole(1, 10**6), default=1, help="how many machines share the run (default: 1)")
    add("--time-limit", type=number(0.1, 1e6), default=120, help="seconds an animation (default: 120)")
    add("--memory", type=number(0.5, 4096), default=16, help="address space of a process in GiB (default: 16)")
    add("--retry", action="store_true", help="parts with failed assets again, and failed questions to the judge")
    add("--judge", action="store_true", help="ask a vision-language model whether what is kept is realistic")
    add("--judge-model", metavar="MODEL", help="the same, one on this machine: transformers folder or Hub name")
    add("--price", metavar="IN,OUT", help="of the judge, dollars for a million tokens in and out")
    add("--budget", type=number(0, 1e9), help="dollars for the judge in this folder; needs --price")


def run(arguments: argparse.Namespace) -> dict:
    _check(arguments)

    from puppetmaster_core.curation.forest import Forest
    from puppetmaster_core.curation.run import Effort, curate

    folder = arguments.output
    forest = Forest.load(*([arguments.forest] if arguments.forest else []))
    effort = Effort(**{name: getattr(arguments, name) for name in Effort.__dataclass_fields__})
    report = curate(_job(arguments), forest, _judging(arguments), effort)
    if report is None:
        return {"waiting": f"rank {arguments.rank} of {arguments.world_size} is done; the last to end writes the tables"}
    if arguments.official:
        report["published lists"] = _compared(folder, arguments.official)
    if arguments.arms:
        from puppetmaster_core.curation.less_is_more import link_arms

        report["arms"] = link_arms(arguments.arms, folder / "animations.parquet", folder / "arms")
    write_json(folder / "report.json", report)
    return report


def _check(arguments: argparse.Namespace) -> None:
    """Raise BadInput where the arguments do not fit together."""
    check_folder(arguments.output)
    if arguments.rank >= arguments.world_size:
        raise BadInput(f"got --rank {arguments.rank} of --world-size {arguments.world_size}, expected 0 to "
                       f"{arguments.world_size - 1}: ranks count from 0")
    if arguments.assets.startswith("objaverse:") != (arguments.download is not None):
        raise BadInput("objaverse:… and --download DIR go together: what to get, and where to put it")
    if arguments.assets == "cabinets":
        raise BadInput("got cabinets, expected files or the library: `puppetmaster assets make` writes files")
    if not (arguments.judge or arguments.judge_model) and (arguments.price or arguments.budget is not None):
        raise BadInput("got --price and --budget without --judge: give it too, or neither")
    if arguments.budget is not None and not arguments.price:
        raise BadInput("got --budget without --price: say what a million tokens cost")
    need("sklearn", "skops", "httpx")
    if arguments.engine == "ray":
        need("ray", extra="scale-out")


def _job(arguments: argparse.Namespace):
    from puppetmaster_core.clips.sources import find_source
    from puppetmaster_core.curation.measuring import CurationJob, CurationPlan
    from puppetmaster_core.curation.prefilter import Categories, read_categories

    categories, digest = Categories(), ""
    if arguments.categories:
        categories = read_categories(arguments.categories)
        digest = hashlib.sha256(arguments.categories.read_bytes()).hexdigest()
    if arguments.assets.startswith("objaverse:"):
        source = find_source(str(_download(arguments, categories)))
    else:
        source = find_source(arguments.assets, arguments.count, arguments.first)
    return CurationJob(arguments.output, CurationPlan(source, arguments.assets_a_part, digest), categories)


def _download(arguments: argparse.Namespace, categories) -> Path:
    """Objaverse's objects, but for those that the pre-filter leaves out: the folder they are in."""
    from tqdm import tqdm

    from puppetmaster_core.curation.objaverse import animated_ids, download_objects, read_ids

    what = arguments.assets.partition(":")[2]
    ids, malformed = (animated_ids(), []) if what == "animated" else read_ids(what)
    if malformed:
        print(f"{what}: {len(malformed)} entries are no ids of Objaverse's: left out", file=sys.stderr)
    ids = [uid for uid in ids if not categories.left_out(uid)][: arguments.count]
    _, lost = download_objects(ids, arguments.download, lambda batches: tqdm(batches, desc="batches of 100", file=sys.stderr))
    if lost:
        print(f"{len(lost)} objects could not be had, {lost[0]} first: the same command tries them again", file=sys.stderr)
    return arguments.download


def _compared(folder: Path, official: Path) -> dict:
    """The run's lists beside the published ones."""
    from puppetmaster_core.curation.objaverse import LISTS, compare_all
    from puppetmaster_core.curation.prefilter import uid_of
    from puppetmaster_core.curation.tables import read_rows

    ours = {name: json.loads(path.read_text()) for name in LISTS if (path := folder / f"{name}.json").is_file()}
    looked_at = [uid_of(row["asset"]) for row in read_rows(folder / "assets.parquet")]
    return compare_all(ours, looked_at, official)


def _judging(arguments: argparse.Namespace):
    """The judge's stage, or None. Raises JudgeError."""
    from puppetmaster_core.curation.judging import Judging, Price

    try:
        price = Price(*(number(0, 1e9)(part) for part in arguments.price.split(","))) if arguments.price else Price()
    except (TypeError, argparse.ArgumentTypeError):
        raise BadInput(f"got --price {arguments.price!r}, expected two numbers such as 2.5,10") from None
    if arguments.judge_model:
        from puppetmaster_core.curation.local_judge import LocalJudge

        return Judging(arguments.output, LocalJudge.load(arguments.judge_model), price)
    from puppetmaster_core.curation.judge import Judge

    return Judging(arguments.output, Judge.from_environment(), price) if arguments.judge else None
