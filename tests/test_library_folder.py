"""Folders of library assets, the command that makes them, and contact sheets."""

import csv
import hashlib
import json

import numpy as np
import pytest

from procedural_library import make_asset
from procedural_library.folder import LibraryError, make_library, planned
from procedural_library.sheet import CAPTION, contact_sheet
from puppetmaster_core.assets import load_asset
from puppetmaster_core.cli import main


def listed(folder):
    with open(folder / "manifest.csv", newline="") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def contents(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def make(folder, *more, category="box", count=2):
    return main(["assets", "make", "--category", category, "--count", str(count), "--output", str(folder), *map(str, more)])


def test_a_plan_takes_categories_in_turn():
    assert planned(["a", "b"], 5, 10) == [("a", 10), ("b", 10), ("a", 11), ("b", 11), ("a", 12)]


def test_the_manifest_says_what_each_file_is(tmp_path):
    make_library(tmp_path / "lib", planned(["box", "human", "explode"], 3, 7))
    rows = listed(tmp_path / "lib")
    assert set(rows) == {"box-000007.glb", "human-000007.glb", "explode-000007.glb"}
    for name, row in rows.items():
        data = (tmp_path / "lib" / name).read_bytes()
        assert row["sha256"] == hashlib.sha256(data).hexdigest() and int(row["bytes"]) == len(data)
        read = load_asset(tmp_path / "lib" / name)
        assert row["parts"].split("; ") == read.submodels and int(row["triangles"]) == len(read.faces)
        assert row["seed"] == "7" and row["licence"] == "CC0-1.0"
    assert rows["human-000007.glb"]["category"] == "Human-Shape" and "skin" in rows["human-000007.glb"]["animation"]
    assert [rows[f"{c}-000007.glb"]["good"] for c in ("box", "explode")] == ["True", "False"]


def test_a_stopped_run_goes_on_and_another_seed_adds(tmp_path):
    folder = tmp_path / "lib"
    make_library(folder, planned(["box"], 3, 0))
    whole = contents(folder)
    (folder / "box-000001.glb").unlink()
    (folder / "manifest.csv").unlink()
    (folder / ".box-000001.glb.99-0.partial").write_bytes(b"half")  # what a killed run leaves
    make_library(folder, planned(["box"], 3, 0))
    assert {**whole, ".box-000001.glb.99-0.partial": b"half"} == contents(folder)
    make_library(folder, planned(["door"], 1, 5))
    assert set(listed(folder)) == {"box-000000.glb", "box-000001.glb", "box-000002.glb", "door-000005.glb"}


def test_nothing_is_overwritten(tmp_path):
    folder = tmp_path / "lib"
    make_library(folder, planned(["box"], 1, 0))
    (folder / "box-000001.glb").write_bytes(b"mine")
    with pytest.raises(LibraryError, match=r"box-000001\.glb: another file of this name"):
        make_library(folder, planned(["box"], 2, 0))
    assert (folder / "box-000001.glb").read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["notes.txt", "scene.glb", "box-1.gltf"])
def test_a_folder_with_other_things_is_left_alone(tmp_path, capsys, name):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / name).write_text("mine")
    assert make(folder) == 2
    assert name in capsys.readouterr().err and set(contents(folder)) == {name}
    (folder / name).unlink()
    (folder / "manifest.csv").write_text("file,licence\nchest.glb,CC0\n")  # of another set of assets
    assert make(folder) == 2 and "manifest.csv" in capsys.readouterr().err


def test_the_command_makes_assets(tmp_path, capsys):
    folder = tmp_path / "lib"
    assert make(folder, "--json", category="laptop,soft", count=7) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["assets"] == 7 == len(listed(folder)) and told["kinds"] == {"good": 7}
    assert {name.split("-")[0] for name in listed(folder)} == {"laptop", "flag", "curtain", "plant", "flower", "plush"}
    assert main(["assets", "inspect", str(folder / "laptop-000000.glb")]) == 0


def test_a_sheet_shows_each_asset_at_each_moment():
    assets = [("box", make_asset("box", 1)), ("static", make_asset("static", 0)), ("laptop", make_asset("laptop", 0))]
    sheet = contact_sheet(assets, columns=2, size=40, moments=(0.0, 1.0))
    assert sheet.shape == (2 * (40 + CAPTION), 2 * 2 * 40, 3)
    first, last = sheet[:40, 80:120], sheet[:40, 120:160]
    np.testing.assert_array_equal(first, last)  # the static one
    assert (sheet[:40, :40] != sheet[:40, 40:80]).any() and (first != 255).any()
    assert (sheet[54:, 80:] == 255).all()  # an empty place
    with pytest.raises(ValueError, match="0 assets"):
        contact_sheet([])
