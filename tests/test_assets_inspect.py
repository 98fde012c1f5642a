"""`puppetmaster assets inspect`: what is in a file, or one line that says why it cannot be read."""

import json

import pytest
from gltf_files import everything, moving_triangle

from puppetmaster_core.cli import main


@pytest.fixture
def folder(tmp_path, monkeypatch):
    moving_triangle().write(tmp_path / "wing.glb")
    everything().write(tmp_path / "all.glb")
    (tmp_path / "broken.glb").write_bytes(b"glTF\2\0\0\0")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_is_described_for_people(folder, capsys):
    assert main(["assets", "inspect", "wing.glb"]) == 0
    shown = capsys.readouterr().out
    # The triangle's diagonal is √2 and it moves by 2: 141.4 %.
    for line in ("vertices 3, triangles 1,", "sub-models (triangles): wing (1)",
                 "clip move: 1.000 s, nodes, LINEAR, moves by 141.4% of the diagonal"):
        assert line in shown


def test_files_are_described_for_programs_and_a_broken_one_stops_nothing(folder, capsys):
    assert main(["assets", "inspect", "--json", "wing.glb", "broken.glb", "all.glb"]) == 2
    shown = capsys.readouterr()
    wing, broken, everything = map(json.loads, shown.out.splitlines())
    assert wing["clips"] == [{"name": "move", "seconds": 1, "kinds": ["nodes"], "interpolation": ["LINEAR"],
                              "motion": pytest.approx(2**0.5, abs=1e-6)}]
    cause = "broken.glb: got a .glb of 8 bytes, expected at least 20 bytes: it is truncated, download it again"
    assert broken == {"file": "broken.glb", "error": cause}
    assert everything["clips"][0]["kinds"] == ["nodes", "skin", "morph"]
    assert everything["clips"][0]["interpolation"] == ["STEP", "LINEAR", "CUBICSPLINE"]
    assert [m["alpha"] for m in everything["materials"]] == ["mask", "opaque"]
    assert shown.err.splitlines()[-1].endswith(f"error: 1 of 3 files cannot be read, the first: {cause}")


def test_what_was_mended_is_said(folder, capsys):
    file = moving_triangle()
    file.json["animations"][0]["channels"].append({"sampler": 0, "target": {"path": "pointer"}})
    file.write(folder / "odd.glb")
    assert main(["assets", "inspect", "odd.glb"]) == 0
    assert "note: channel 1 of animation 0 is left out: got 'pointer'" in capsys.readouterr().out
