"""What a fit of the forest leaves for the ledger: a result with its own claims (evaluation/claims.py reads it)."""

from __future__ import annotations

import platform
import shlex
import sys

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
    return {"kind": "forest", "command": shlex.join(["puppetmaster", *sys.argv[1:]]), "commit": commit(), "device": "cpu",
            "machine": platform.machine(), "python": platform.python_version(), "figures": figures, "worst kept": worst,
            **{name: about[name] for name in ("seed", "labels", "objects", "figures with the paper's metrics alone")},
            "seconds": round(sum(seconds.values()), 1), "seconds by part": seconds, "claims": claims}


def _claim(name: str, at: str, what: str, digits: int, better: str = "higher", bar: float | None = None) -> dict:
    return {"id": f"curation.forest.{name}", "at": at, "what": f"the forest, objects not seen: {what}", "unit": "of 1",
            "digits": digits, "better": better, "bar": bar}
