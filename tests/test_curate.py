"""`puppetmaster curate`: a table with a row per animation, whatever happens on the way; bad assets cost themselves."""

import hashlib
import json

import pytest
from killing import Kill, Run, kill_until_done, left_by

from procedural_library import GROUPS, make_asset
from procedural_library.folder import describe
from procedural_library.glb import to_glb
from puppetmaster_core.cli import main
from puppetmaster_core.curation.metrics import METRICS
from puppetmaster_core.curation.tables import ANIMATIONS, ASSETS, read_rows

BAD = ["library:bad", "--count", "8", "--assets-a-part", "3"]


def curate(source, output, *more):
    return main(["curate", str(source), "--output", str(output), "--workers", "1", *map(str, more)])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The eight bad kinds in three parts, at one go, by two processes."""
    folder = tmp_path_factory.mktemp("curated") / "whole"
    assert curate(*BAD[:1], folder, *BAD[1:], "--workers", 2) == 0
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Files, one of them broken, one without animation, one that GObjaverse calls Poor-quality."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "deep").mkdir()
    door = make_asset("door", 0)
    (folder / "aa11.glb").write_bytes(to_glb(door, describe(door)))
    (folder / "bb22.glb").write_bytes(b"glTF" + bytes(100))
    (folder / "cc33.glb").write_bytes((folder / "aa11.glb").read_bytes())
    spin = make_asset("spin", 0)
    (folder / "deep" / "dd44.glb").write_bytes(to_glb(spin, {}))
    still = to_glb(door, {}).replace(b'"animations":', b'"animationz":')
    (folder / "ee55.glb").write_bytes(still)
    (folder / "manifest.csv").write_text("file,licence,author,category\ndeep/dd44.glb,CC-BY-4.0,A. Smith,Daily-Used\n")
    (folder / "categories.json").write_text(json.dumps([
        {"object_index": "cc33.glb", "label": "Poor-quality"}, {"object_index": "aa11.glb", "label": "Animals"}]))
    return folder


def test_every_kind_of_bad_animation_is_dropped_with_a_reason(whole):
    rows = read_rows(whole / "animations.parquet")
    assert [row["asset"] for row in rows] == [f"{kind}-000000" for kind in GROUPS["bad"]]
    assert {row["verdict"] for row in rows} == {"dropped"} and {row["stage"] for row in rows} == {"forest"}
    assert all("90 % of the good" in row["reason"] for row in rows)
    assert json.loads((whole / "animation.json").read_text()) == []
    report = json.loads((whole / "report.json").read_text())
    assert report["funnel"]["forest"] == {"in": 8, "out": 0, "dropped": 8} and report["failures"] == []
    assert sorted(p.name for p in whole.iterdir()) == ["animation.json", "animations.parquet", "assets.parquet", "index",
                                                       "plan.json", "ranks", "report.json"]


def test_the_table_says_where_everything_comes_from(models, tmp_path, capsys):
    assert curate(models, tmp_path / "run", "--categories", models / "categories.json") == 0
    rows = {row["asset"]: row for row in read_rows(tmp_path / "run" / "animations.parquet")}
    assert list(rows) == ["aa11.glb", "deep/dd44.glb"]
    door, spin = rows.values()
    assert (door["verdict"], spin["verdict"]) == ("animation", "dropped")
    assert door["sha256"] == hashlib.sha256((models / "aa11.glb").read_bytes()).hexdigest()
    assert (door["licence"], spin["licence"]) == ("CC0-1.0", "CC-BY-4.0")
    assert (door["category"], door["group"]) == ("Animals", "Drag-a-Move")  # our furniture, whatever GObjaverse calls it
    assert (spin["category"], spin["group"]) == ("Daily-Used", "Daily-Used")
    assert json.loads(door["tools"])["puppetmaster_core"] and door["seconds"] > 0 and door["cpu_seconds"] > 0
    assert set(METRICS) < set(ANIMATIONS.names) and set(door) == set(ANIMATIONS.names)
    assets = {row["asset"]: row for row in read_rows(tmp_path / "run" / "assets.parquet")}
    assert set(assets["aa11.glb"]) == set(ASSETS.names) and assets["deep/dd44.glb"]["author"] == "A. Smith"
    assert assets["cc33.glb"]["left_out"] == "GObjaverse calls it Poor-quality" and assets["cc33.glb"]["seconds"] is None
    assert "bb22.glb" in assets["bb22.glb"]["error"] and "Traceback" in assets["bb22.glb"]["stderr"]
    assert assets["bb22.glb"]["sha256"] == hashlib.sha256((models / "bb22.glb").read_bytes()).hexdigest()
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["funnel"]["assets"] == {"in": 5, "out": 2, "Poor-quality": 1, "failed": 1, "no animation": 1}
    assert [failure["asset"] for failure in report["failures"]] == ["bb22.glb"]
    assert json.loads((tmp_path / "run" / "animation.json").read_text()) == ["aa11"]
    assert "bb22.glb" in capsys.readouterr().err


def test_parts_with_failed_assets_are_made_again_when_asked_and_no_others(models, tmp_path, capsys):
    here = tmp_path / "models"
    here.mkdir()
    for name in ("aa11.glb", "bb22.glb"):
        (here / name).write_bytes((models / name).read_bytes())
    small = ("--assets-a-part", 1, "--json")
    assert curate(here, tmp_path / "run", *small) == 0
    (here / "bb22.glb").write_bytes((here / "aa11.glb").read_bytes())
    capsys.readouterr()
    assert curate(here, tmp_path / "run", *small) == 0
    assert json.loads(capsys.readouterr().out)["costs"]["assets measured now"] == 0
    assert curate(here, tmp_path / "run", "--retry", *small) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["costs"]["assets measured now"] == 1 and report["failures"] == []
    assert [row["verdict"] for row in read_rows(tmp_path / "run" / "animations.parquet")] == ["animation"] * 2


def test_a_killed_run_goes_on_and_loses_and_doubles_nothing(whole, tmp_path):
    """SIGKILL after the first asset, after two more, and at the end; tests/killing.py does it 200 times."""
    kills = [Kill(1), Kill(2, 0.01), Kill(None)]
    assert kill_until_done(Run(("curate", "library:bad"), 8, 3), tmp_path / "killed", kills) >= 1
    assert left_by(tmp_path / "killed") == left_by(whole)


def test_ranks_share_the_work_and_the_last_writes_the_tables(whole, tmp_path, capsys):
    for rank in (1, 0):
        assert curate(*BAD[:1], tmp_path / "run", *BAD[1:], "--rank", rank, "--world-size", 2) == 0
        if rank == 1:
            assert not (tmp_path / "run" / "animations.parquet").exists() and "rank 1 of 2 is done" in capsys.readouterr().out
            assert [path.stem for path in (tmp_path / "run").glob("index/assets-*")] == ["assets-000001"]
    assert left_by(tmp_path / "run") == left_by(whole)


@pytest.mark.slow  # Ray needs half a minute to start where processors are few
def test_ray_gives_the_same_tables(whole, tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed")
    assert curate(*BAD[:1], tmp_path / "run", *BAD[1:], "--engine", "ray") == 0
    assert left_by(tmp_path / "run") == left_by(whole)
