"""What a fit and a measurement of speed leave for the ledger, and the engines side by side."""

import json

import pytest

from puppetmaster_core.clips.sources import find_source
from puppetmaster_core.curation import speed
from puppetmaster_core.curation.forest import Forest
from puppetmaster_core.curation.results import forest_record, speed_record
from puppetmaster_core.curation.speed import EngineTime, as_text, compare_engines
from puppetmaster_core.evaluation.claims import rebuild
from puppetmaster_core.files import write_json

TIMES = [EngineTime("local", 500, 2, 100.0, 2.0, 180.0, 210.0, 200.0),
         EngineTime("ray", 500, 2, 120.0, 12.0, 181.0, 205.0, 205.0)]


def test_claims_of_a_measurement_hold_or_do_not(tmp_path):
    write_json(tmp_path / "speed.json", speed_record(TIMES))
    claims = {name: claim for name, claim in rebuild(tmp_path).items() if name.startswith("curation.")}
    assert {name: (claim.ours, claim.holds) for name, claim in claims.items()} == {
        "curation.local.seconds_1000": (200.0, "yes"), "curation.ray.seconds_1000": (240.0, "yes"),
        "curation.memory_growth": (1.05, "yes"), "curation.ray_overhead": (pytest.approx(0.2), "no")}
    assert "ray over local: +20.0% of the time" in as_text(TIMES)
    assert "curation.ray_overhead" not in json.dumps(speed_record(TIMES[:1]))


def test_claims_of_a_forest_are_those_of_its_figures(tmp_path):
    about = Forest.load().about
    write_json(tmp_path / "forest.json", forest_record(about, {"measuring": 1.0, "fitting": 2.0}))
    claims = rebuild(tmp_path)
    figures = about["figures, objects not seen"]
    assert claims["curation.forest.auc"].ours == figures["auc"] and claims["curation.forest.auc"].holds == "yes"
    bad = {kind: share for kind, share in figures["kept at 95 % of the good"].items() if kind != "good"}
    assert claims["curation.forest.worst_bad_kept"].ours == max(bad.values())
    assert claims["curation.forest.spin_kept"].ours == bad["spin"] and claims["curation.forest.auc"].seconds == 3.0


def test_engines_measure_the_same_assets_and_their_tables_are_compared(monkeypatch):
    source = find_source("library:bad", 3)
    [one, other] = compare_engines(source, workers=1, engines=["local", "local"])
    assert (one.assets, one.workers, other.engine) == (3, 1, "local")
    assert 0 < one.first <= one.seconds and one.cpu_seconds > 0 and one.memory_mb >= one.memory_early_mb > 20
    tables = iter([[1], [1], [2], [1]])
    monkeypatch.setattr(speed, "lasting", lambda path: next(tables))
    with pytest.raises(RuntimeError, match="other tables"):
        list(compare_engines(source, workers=1, engines=["local", "local"]))
