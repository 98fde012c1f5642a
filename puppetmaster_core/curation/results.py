"""What a fit or a measurement of speed leaves for the ledger: a result with its own claims (evaluation/claims.py reads it)."""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict

from puppetmaster_core.curation.speed import EngineTime
from puppetmaster_core.provenance import commit

AT_95, AT_THRESHOLD = "kept at 95 % of the good", "kept at the threshold"


def forest_record(about: dict, seconds: dict[str, float]) -> dict:
    """What `puppetmaster forest` found, of objects of which nothing was known. The bars are ours: AUC 0.99, 3 % of a bad kind."""
    figures = about["figures, objects not seen"]
    worst = {name: max(share for kind, share in figures[name].items() if kind != "good") for name in (AT_95, AT_THRESHOLD)}
    claims = [
        _claim("auc", "figures/auc", "area under the ROC curve", 5, bar=0.99),
        _claim("worst_bad_kept", f"worst kept/{AT_95}", "of the worst bad kind, kept at 95 % of the good", 4, "lower", 0.03),
        _claim("spin_kept", f"figures/{AT_95}/spin", "of the spinning, kept at 95 % of the good", 4, "lower", 0.03),
        _claim("good_kept", f"figures/{AT_THRESHOLD}/good", "of the good, kept at a threshold chosen without them", 4, bar=0.95),
        _claim("worst_bad_kept_at_threshold", f"worst kept/{AT_THRESHOLD}", "of the worst bad kind, kept at such a threshold", 4,
               "lower", 0.03),
        _claim("auc_paper_metrics", "figures with the paper's metrics alone/auc",
               "area under the ROC curve, metrics that the paper names alone", 5)]
    return _about("forest") | {"seed": about["seed"], "labels": about["labels"], "objects": about["objects"], "figures": figures,
                               "worst kept": worst, "seconds": round(sum(seconds.values()), 1), "seconds by part": seconds,
                               "figures with the paper's metrics alone": about["figures with the paper's metrics alone"],
                               "claims": [claim | {"what": f"the forest, objects not seen: {claim['what']}", "unit": "of 1"}
                                          for claim in claims]}


def speed_record(times: Sequence[EngineTime]) -> dict:
    """What `puppetmaster bench --curation` measured. The bars are ours: 1,000 assets in 5 minutes, 15 % more for Ray."""
    engines = {time.engine: asdict(time) | {"rate": time.rate, "seconds for 1,000": 1000 * time.seconds / time.assets,
                                            "memory growth": time.memory_mb / time.memory_early_mb} for time in times}
    count, claims = times[0].assets, []
    for name in engines:
        claims.append({"id": f"curation.{name}.seconds_1000", "what": f"1,000 assets through the metrics, {name} processes",
                       "unit": "s", "better": "lower", "digits": 1, "bar": 300.0, "at": f"engines/{name}/seconds for 1,000"})
    claims.append({"id": "curation.memory_growth", "what": "most memory of a process, all assets over the first tenth",
                   "unit": "×", "better": "lower", "digits": 3, "bar": 1.1, "at": f"engines/{times[0].engine}/memory growth"})
    more = {}
    if len(times) == 2:
        more = {"overhead": times[1].seconds / times[0].seconds - 1}
        claims.append({"id": "curation.ray_overhead", "what": f"Ray's time over the local processes', {count} assets",
                       "unit": "of 1", "better": "lower", "digits": 3, "bar": 0.15, "at": "overhead"})
    return _about("curation speed") | {"assets": count, "seconds": round(sum(time.seconds for time in times), 1),
                                       "engines": engines, **more, "claims": claims}


def _about(kind: str) -> dict:
    return {"kind": kind, "command": shlex.join(["puppetmaster", *sys.argv[1:]]), "commit": commit(), "device": "cpu",
            "machine": platform.machine(), "python": platform.python_version()}


def _claim(name: str, at: str, what: str, digits: int, better: str = "higher", bar: float | None = None) -> dict:
    return {"id": f"curation.forest.{name}", "at": at, "what": what, "digits": digits, "better": better, "bar": bar}
