"""What a fit leaves for the ledger."""

from puppetmaster_core.cli.forest import forest_record
from puppetmaster_core.curation.forest import Forest
from puppetmaster_core.evaluation.claims import rebuild
from puppetmaster_core.files import write_json


def test_claims_of_a_forest_are_those_of_its_figures(tmp_path):
    about = Forest.load().about
    write_json(tmp_path / "forest.json", forest_record(about, {"measuring": 1.0, "fitting": 2.0}))
    claims = rebuild(tmp_path)
    figures = about["figures, objects not seen"]
    assert claims["curation.forest.auc"].ours == figures["auc"] and claims["curation.forest.auc"].holds == "yes"
    bad = {kind: share for kind, share in figures["kept at 95 % of the good"].items() if kind != "good"}
    assert claims["curation.forest.worst_bad_kept"].ours == max(bad.values())
    assert claims["curation.forest.spin_kept"].ours == bad["spin"] and claims["curation.forest.auc"].seconds == 3.0
