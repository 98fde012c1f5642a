"""Which claims a result supports, and which ones the paper makes: the ledger's contents are a function of `results/*.json`.

A result is a JSON object that says what was run ("kind", "command", "commit", "device", "seconds", "seed", …). Of the kinds known
here the claims follow. Any result may also list its own under "claims": objects with the fields of a `Claim` and "at", where in
the result the number, or an object with mean, low and high, stands. So any command can put a number into the ledger.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from puppetmaster_core.evaluation import paper
from puppetmaster_core.evaluation.ledger import FILE, Claim, Ledger, LedgerError, ledger, value_at
from puppetmaster_core.evaluation.metrics import METRICS

CLAIMED = ("psnr", "ssim", "psnr_moving", "lpips", "fvd_i3d", "fvd_videomae", "motion_error_origins", "motion_error_foreground",
           "end_point_error", "wrong_direction", "flicker")
# What `puppetmaster evaluate` says of a model on unseen clips beside each row's own figures: where in the summary.
SAID = {"psnr_moving_over_static_copy": "over static copy/moving", "psnr_over_static_copy": "over static copy/whole",
        "right_direction": "right direction", "off_place": "model/off place", "sharpness_gap": "sharpness gap",
        "edge_energy_over_ceiling": "edge energy over ceiling", "mask_iou": "mask IoU"}
OF_ROWS = {"psnr": "whole", "psnr_moving": "moving", "psnr_still": "still", "edge_energy": "edge energy"}
ROWS = {"model": "", "static copy": "static_copy_beside_", "VAE": "vae_of_", "VAE, anchored": "anchored_vae_of_",
        "exact latents": "exact_latents_of_", "exact motion": "exact_motion_of_"}
OVER = "_over_static_copy"
# What a model trained from nothing is asked for. The bars are ours.
BARS = {"psnr_moving_over_static_copy": 6.0, "psnr_over_static_copy": 1.5, "right_direction": 0.90, "off_place": 0.35,
        "sharpness_gap": 0.15}
CABINET_BARS = {"psnr_moving_over_static_copy": 8.0, "psnr_over_static_copy": 4.0, "right_direction": 0.95, "psnr_still": 40.0,
                "sharpness_gap": 0.1, "mask_iou": 0.85}

# What a claim that nobody has run here waits for, by suite, and by metric beside.
WAITS = {"Drag-a-Move": "waits for a GPU with SVD's weights and the authors' checkpoint",
         "Human3.6M": "waits for a GPU with SVD's weights and the authors' checkpoint, and for Human3.6M's licence: the paper's "
                      "clips are not published"}
JUDGES = {"lpips": "LPIPS' weights", "fvd_i3d": "I3D's weights", "motion_error_origins": "CoTracker's weights (CC-BY-NC)",
          "motion_error_foreground": "CoTracker's weights (CC-BY-NC)"}
WRONG_WAY = {"id": "table2.wrong_direction", "what": "drags that move the wrong way, row D", "unit": "%", "better": "lower",
             "digits": 0, "place": "Table 2", "paper": paper.TABLE_2["D: C and drag tokens"][5]}


def paper_claims() -> Iterator[Claim]:
    """The paper's claims that a run of ours can test, none of them run; the note says what each waits for."""
    for name, (place, what, *_) in paper.COMPARISONS.items():  # at another scale only the sign is claimed, so the bar is 0
        yield Claim(name, f"PSNR gained by {what}", "dB", place=place, paper=paper.gained(name), bar=0.0,
                    note="puppetmaster reproduce --scale ablation runs it")
    yield Claim(**WRONG_WAY, note="the paper's count is by hand")
    for suite, rows in paper.figures_of_table_1().items():
        for metric, value in rows["Puppet-Master"].items():
            note = "; ".join([WAITS[suite], *([JUDGES[metric]] if metric in JUDGES else [])])
            yield Claim(f"{slug(suite)}.svd.{metric}", f"{suite}: {METRICS[metric].label}, Puppet-Master", place="Table 1",
                        paper=value, note=note, **_column(metric))
    yield Claim("cost.svd.seconds", "seconds for a video, 50 steps, on an A6000", "s", "lower", 1, "App. C.2", 20.0,
                note="waits for an A6000 with SVD's weights")


def rebuild(results: str | Path) -> Ledger:
    """The ledger that the results of a folder make. Raises LedgerError, naming the file."""
    claims = []
    for path in sorted(Path(results).glob("*.json")):
        if path.name != FILE:
            claims += claims_of(path.name, _record(path))
    return ledger([*claims, *paper_claims()])


def claims_of(name: str, record: dict) -> list[Claim]:
    """The claims of one result; `name` is its file's. Raises LedgerError."""
    try:
        found = {"library": _exact, "table1": _table_1}.get(record.get("kind", ""), lambda _: [])(record)
        return [_made(name, record, **claim) for claim in [*found, *record.get("claims", [])]]
    except LedgerError as error:
        raise LedgerError(f"{name}: {error}") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise LedgerError(f"{name}: not a result as `puppetmaster` writes it ({type(error).__name__}: {error})") from None


def slug(text: str) -> str:
    """A name as part of an id: lower case, letters, digits and underscores."""
    return re.sub(r"\W+", "_", text.lower()).strip("_")


def _made(name: str, record: dict, /, at: str, **given) -> Claim:
    """A claim whose number, or mean with its interval, stands at `at` in a result."""
    value = value_at(record, at)
    if isinstance(value, dict):
        at = f"{at}/mean"
        numbers = {"ours": value["mean"], "low": value["low"], "high": value["high"], "clips": value.get("clips")}
    else:
        numbers = {"ours": value, "clips": record.get("summary", {}).get("clips")}
    seeds = [record["seed"]] if "seed" in record else record.get("seeds", ())
    return Claim(**numbers | given, seeds=seeds, commit=record.get("commit"), device=record.get("device", ""),
                 seconds=record.get("seconds"), command=record.get("command", ""), source=f"{name} {at}")


def _column(metric: str) -> dict:
    about = METRICS[metric]
    return {"unit": about.unit, "better": about.better, "digits": about.digits}


def _exact(record: dict) -> Iterator[dict]:
    """What `puppetmaster evaluate` says of procedural clips: what is asked for, then each row's own figures."""
    model, summary, kinds = record["model"], record["summary"], record["kinds"]
    suite = {"all": "library", "cabinets": "cabinets"}.get(kinds, f"library_{slug(kinds)}")
    named = {"all": "unseen clips of all kinds", "cabinets": "unseen cabinets"}.get(kinds, f"unseen clips, {kinds}")
    bars, beside = CABINET_BARS if kinds == "cabinets" else BARS, {"scale": model, "clips": summary["clips"]}
    for metric, where in SAID.items():
        if where.partition("/")[0] in summary and value_at(summary, where) is not None:
            of = metric.removesuffix(OVER)
            what = METRICS[of].label + (", less the static copy's" if of != metric else "")
            yield {"at": f"summary/{where}", "id": f"{suite}.{slug(model)}.{metric}", "what": f"{named}: {what}, {model}",
                   "bar": bars.get(metric), **_column(of), **beside}
    for row in summary["rows"]:
        whose, named_row = f"{suite}.{ROWS[row]}{slug(model)}", model if row == "model" else f"{row}, beside {model}"
        for metric, part in OF_ROWS.items():
            if summary[row][part] is not None:
                yield {"at": f"summary/{row}/{part}", "id": f"{whose}.{metric}", **_column(metric), **beside,
                       "what": f"{named}: {METRICS[metric].label}, {named_row}",
                       "bar": bars.get(metric) if row == "model" else None}
        if summary["right direction of"].get(row) is not None:
            yield {"at": f"summary/right direction of/{row}", "id": f"{whose}.right_direction",
                   "what": f"{named}: {METRICS['right_direction'].label}, {named_row}", **_column("right_direction"), **beside}


def _table_1(record: dict) -> Iterator[dict]:
    """What `puppetmaster evaluate --data` says of each row. A model's row is held against the paper's Puppet-Master."""
    suite, models = record["suite"], record.get("models", [])
    figures = paper.figures_of_table_1().get(suite, {}).get("Puppet-Master", {})
    for row, summary in record["summary"].items():
        for metric in filter(summary.__contains__, CLAIMED):
            rough = record.get("rough_tracker") and ("error" in metric or "direction" in metric)
            notes = ["by a rough tracker"] if rough else []
            held = {"paper": figures[metric], "place": "Table 1"} if row in models and metric in figures else {}
            if held and summary["clips"] != paper.CLIPS:
                notes.append(f"{summary['clips']} clips, the paper {paper.CLIPS}")
            yield {"at": f"summary/{row}/{metric}", "id": f"{slug(suite)}.{slug(row)}.{metric}", **_column(metric),
                   "what": f"{suite}: {METRICS[metric].label}, {row}", "scale": row if row in models else "",
                   "note": "; ".join(notes), **held}
        for metric in summary.get("over_static_copy", {}) if row in models else ():
            yield {"at": f"summary/{row}/over_static_copy/{metric}", "id": f"{slug(suite)}.{slug(row)}.{metric}{OVER}",
                   "what": f"{suite}: {METRICS[metric].label}, {row} less the static copy of the same clips", "scale": row,
                   "bar": 0.0, **_column(metric)}


def _record(path: Path) -> dict:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LedgerError(f"{path}: cannot be read ({error}), expected a result in JSON") from None
    if not isinstance(record, dict):
        raise LedgerError(f"{path}: got a {type(record).__name__}, expected a result, a JSON object")
    return record
