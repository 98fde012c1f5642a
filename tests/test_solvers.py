"""Quality against time: every way of sampling on the same clips, with honest counts."""

import json

from puppetmaster_core.cli import main
from puppetmaster_core.evaluation.solvers import SETTINGS, compare_settings, network_videos, solvers_table
from puppetmaster_core.presets import SOLVERS


def test_every_listed_setting_is_one_that_a_pipeline_takes(pipe):
    calls = {name: network_videos(pipe, how) for name, how in SETTINGS.items()}
    assert calls["Euler 50"] == 100 and calls["DPM-Solver++ 2M 10"] == 20 and calls["DPM-Solver++ 2M 10, no guidance"] == 10
    assert 50 < calls["Euler 50, guidance at σ 0.2 to 20"] < 100
    assert {how["solver"] for how in SETTINGS.values()} == set(SOLVERS)


def test_calls_are_what_the_network_is_called_with(pipe):
    settings = {"one": {"solver": "dpm++", "steps": 4, "interval": (1.0, 50.0)}, "two": {"steps": 1, "max_guidance": 1.0}}
    seen = []
    handle = pipe.unet.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    rows = compare_settings(pipe, 2, settings)
    handle.remove()
    assert [row["name"] for row in rows] == list(settings) and [row["clips"] for row in rows] == [2, 2]
    assert 2 * sum(row["calls"] for row in rows) == sum(seen)
    assert all(row["seconds"] > 0 and row["moving"]["low"] <= row["moving"]["mean"] <= row["moving"]["high"] for row in rows)
    assert "one" in solvers_table(rows) and "direction" in solvers_table(rows)


def test_the_command_writes_what_it_prints(pipe, tmp_path, capsys):
    pipe.save_pretrained(tmp_path / "model")
    words = ["solvers", "--model", str(tmp_path / "model"), "--clips", "2", "--only", "DPM-Solver++ 2M 10, no", "--json"]
    assert main([*words, "--output", str(tmp_path / "rows.json")]) == 0
    written = json.loads((tmp_path / "rows.json").read_text())
    assert json.loads(capsys.readouterr().out) == written["rows"] and written["rows"][0]["calls"] == 10
