"""The ledger: what holds, where numbers stand, that the checkout's own ledger is what its results make."""

import json
from pathlib import Path

import pytest

from puppetmaster_core.cli import main
from puppetmaster_core.evaluation import paper
from puppetmaster_core.evaluation.claims import claims_of, paper_claims, rebuild
from puppetmaster_core.evaluation.ledger import Claim, LedgerError, ledger, ledger_text, read_ledger, write_ledger

ROOT = Path(__file__).resolve().parents[1]
RUN = {"command": "puppetmaster evaluate", "commit": "abc", "device": "cpu", "seconds": 3.0, "seed": 0}


def claim(**given):
    return Claim("x", "a claim", **({"paper": 24.0} | given))


def test_a_claim_holds_where_its_whole_interval_does():
    assert claim().holds == "not run"
    assert claim(ours=25.0).holds == "yes" and claim(ours=23.0).holds == "no"
    assert claim(ours=25.0, low=23.5, high=26.0).holds == "unclear"
    assert claim(ours=25.0, low=24.0, high=26.0).holds == "yes"
    assert claim(ours=23.0, low=22.0, high=23.9).holds == "no"
    assert claim(ours=23.0, low=22.0, high=23.9, tolerance=2.0).holds == "yes"
    lower = {"better": "lower", "paper": 12.0}
    assert claim(ours=11.0, low=10.0, high=11.9, **lower).holds == "yes"
    assert claim(ours=11.0, low=10.0, high=12.5, **lower).holds == "unclear"
    assert claim(ours=13.0, tolerance=1.0, **lower).holds == "yes" and claim(ours=13.1, tolerance=1.0, **lower).holds == "no"
    assert claim(ours=1.0, bar=0.0, paper=9.0).holds == "yes"  # the bar goes before the paper's value
    assert claim(ours=1.0, paper=None).holds == ""


def test_a_claim_is_printed_in_its_digits():
    shown = claim(ours=12.3456, low=11.0, high=13.999, unit="dB", digits=2)
    assert shown.figure == "12.35 dB [11.00, 14.00]" and shown.paper_figure == "24 dB"
    assert claim(paper=246.99).paper_figure == "246.99" and claim().figure == "–"


def test_a_ledger_is_written_and_read_whole(tmp_path):
    claims = ledger([claim(ours=1.0, seeds=(0, 1), note="n"), Claim("a", "another", paper=2.0)])
    write_ledger(claims, tmp_path / "ledger.json")
    assert read_ledger(tmp_path) == claims and list(claims) == ["a", "x"]
    assert ledger_text(claims) == (tmp_path / "ledger.json").read_text()
    unknown = '{"format": "puppetmaster.ledger/1", "claims": [{"id": "x", "ow": 1}]}'
    for text in ("", '{"format": "other", "claims": []}', unknown):
        (tmp_path / "ledger.json").write_text(text)
        with pytest.raises(LedgerError, match=r"ledger\.json"):
            read_ledger(tmp_path)
    with pytest.raises(LedgerError, match="claims --update"):
        read_ledger(tmp_path / "nowhere.json")


def test_a_result_takes_the_place_of_a_claim_not_run_and_of_no_other():
    tested = claim(ours=1.0, source="r.json x")
    assert ledger([claim(), tested]) == ledger([tested, claim()]) == {"x": tested}
    with pytest.raises(LedgerError, match=r"comes from r\.json x and s\.json x"):
        ledger([tested, claim(ours=2.0, source="s.json x")])


def test_table_1_becomes_claims():
    mean = {"mean": 25.0, "low": 24.5, "high": 25.5, "clips": 51}
    suite = {"kind": "table1", "suite": "Drag-a-Move", "models": ["mini"], "rough_tracker": True}
    record = {**RUN, **suite, "summary": {
        "static copy": {"clips": 51, "psnr": mean, "motion_error_origins": mean},
        "mini": {"clips": 51, "psnr": mean, "motion_error_origins": mean, "over_static_copy": {"psnr": mean}}}}
    claims = ledger(claims_of("table1.json", record))
    ours = claims["drag_a_move.mini.psnr"]
    assert (ours.paper, ours.ours, ours.low, ours.holds, ours.clips) == (24.41, 25.0, 24.5, "yes", 51)
    assert ours.source == "table1.json summary/mini/psnr/mean" and ours.note == "51 clips, the paper 100"
    assert (ours.command, ours.commit, ours.device) == ("puppetmaster evaluate", "abc", "cpu")
    assert (ours.seconds, ours.seeds) == (3.0, (0,))
    assert "rough" in claims["drag_a_move.mini.motion_error_origins"].note
    assert claims["drag_a_move.mini.psnr_over_static_copy"].holds == "yes"
    assert claims["drag_a_move.static_copy.psnr"].paper is None  # the paper's model is not the static copy's bar


def test_any_result_may_bring_its_own_claims():
    own = {"id": "table2.drag_tokens", "what": "PSNR gained by drag tokens", "unit": "dB", "paper": 0.33, "bar": 0.0,
           "place": "Table 2", "scale": "tiny", "at": "gain"}
    record = {**RUN, "gain": {"mean": 0.2, "low": -0.1, "high": 0.5}, "claims": [own]}
    found = ledger([*claims_of("ablation.json", record), *paper_claims()])["table2.drag_tokens"]
    assert (found.ours, found.holds, found.source) == (0.2, "unclear", "ablation.json gain/mean")
    with pytest.raises(LedgerError, match=r"ablation\.json: 'gone' is not in the result"):
        claims_of("ablation.json", {**record, "claims": [own | {"at": "gone"}]})


def test_the_papers_claims_follow_from_its_tables():
    claims = {c.id: c for c in paper_claims()}
    assert claims["table2.drag_tokens"].paper == pytest.approx(24.00 - 23.67)
    assert claims["table2.all_to_first"].paper == pytest.approx(23.67 - 11.96)
    assert claims["table3.curation"].paper == pytest.approx(19.87 - 6.04)
    assert claims["drag_a_move.svd.motion_error_foreground"].paper == 3.53
    assert all(c.holds == "not run" for c in claims.values())


TEXT = ROOT.parent / "shared" / "paper" / "puppet-master.txt"


@pytest.mark.skipif(not TEXT.exists(), reason="the paper's text is not beside this checkout")
def test_the_papers_figures_stand_in_the_paper():
    text = TEXT.read_text(encoding="utf-8")
    rows = [row for table in (*paper.TABLE_1.values(), paper.TABLE_2, paper.TABLE_3) for row in table.values()]
    lines = text.splitlines()
    for row in rows:
        psnr, ssim = f"{row[0]:.2f}", f"{row[1]:.3f}"
        fvd = f"{row[3]:.2f}"
        assert any(psnr in line and ssim in line and fvd in line for line in lines), row


def test_the_command_makes_and_shows_the_ledger(tmp_path, capsys):
    own = {"id": "x", "what": "w", "at": "gain", "paper": 2.0}
    (tmp_path / "r.json").write_text(json.dumps({**RUN, "gain": 1.0, "claims": [own]}))
    assert main(["claims", "--results", str(tmp_path)]) == 2
    assert "claims --update" in capsys.readouterr().err
    assert main(["claims", "--results", str(tmp_path), "--update", "--json"]) == 0
    shown = {c["id"]: c for c in json.loads(capsys.readouterr().out)}
    assert shown["x"]["holds"] == "no" and shown["table2.drag_tokens"]["holds"] == "not run"
    (tmp_path / "r.json").write_text(json.dumps({**RUN, "gain": 1.5, "claims": [own]}))  # a number that moved
    assert main(["claims", "--results", str(tmp_path)]) == 2
    assert "not what the results make" in capsys.readouterr().err
    (tmp_path / "r.json").write_text("{")
    assert main(["claims", "--results", str(tmp_path), "--update"]) == 2
    assert "r.json: cannot be read" in capsys.readouterr().err
    assert read_ledger(tmp_path)["x"].ours == 1.0  # the old one stays


# ---- this checkout ---------------------------------------------------------------------------------------------------


def test_the_ledger_is_what_the_results_make():
    made = ledger_text(rebuild(ROOT / "results"))
    assert (ROOT / "results" / "ledger.json").read_text(encoding="utf-8") == made, "run `puppetmaster claims --update`"


def test_the_references_agree_with_an_independent_measurement_of_all_100_clips():
    """PSNR of the static copy, 22.50 dB, and of the blend, 25.40 dB, measured elsewhere on all clips; ours are of 51 of them."""
    claims = read_ledger(ROOT / "results")
    for row, anchor in (("static_copy", 22.50), ("first_last_blend", 25.40)):
        one = claims[f"drag_a_move.{row}.psnr"]
        assert one.low < anchor < one.high and one.clips == 51


def test_every_number_of_the_ledger_says_how_it_was_made():
    for one in read_ledger(ROOT / "results").values():
        if one.ours is not None:
            assert one.command and one.device and one.seconds and one.commit, f"{one.id} does not say how it was made"
