"""`puppetmaster reproduce` on small books in temporary folders: what is run, kept, scored again, and how it ends."""

import json
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest

import reproduction
from pairs import from_text, notebook_of
from puppetmaster_core.cli import main as puppetmaster
from puppetmaster_core.evaluation.claims import rebuild

ROOT = Path(__file__).resolve().parents[1]
CHAPTER = """# %% [markdown]
# # A chapter
#
# **Scale:** none.

# %% tags=["parameters"]
model = "tiny"
steps = 2

# %%
print("model", model, "steps", steps)
assert steps < 100, "too many steps"
"""


@pytest.fixture
def small(tmp_path) -> Path:
    """A book of two chapters, of which laptop scale makes the second fail, and no results."""
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "parameters.yml").write_text("01_second: {steps: 1000}\n")
    (tmp_path / "notebooks" / "src").mkdir(parents=True)
    for name in ("00_first", "01_second"):
        text = tmp_path / "notebooks" / "src" / f"{name}.py"
        text.write_text(CHAPTER)
        notebook_of(text).write_text(nbformat.writes(from_text(text)))
    return tmp_path


def test_smoke_runs_every_notebook_at_its_own_size_once(small, capfd):
    assert reproduction.main(["--scale", "smoke", "--root", str(small)]) == 0
    out = small / "build" / "reproduce" / "smoke"
    summary = json.loads((out / "summary.json").read_text())
    assert [(one["notebook"], one["passed"]) for one in summary] == [("00_first", True), ("01_second", True)]
    assert "model tiny steps 2" in (out / "logs" / "01_second.log").read_text()
    assert "all reproduced in " in capfd.readouterr().out
    assert reproduction.main(["--scale", "smoke", "--root", str(small)]) == 0
    assert capfd.readouterr().out.count("unchanged since it was last run") == 2


def test_notebooks_run_side_by_side_and_one_that_fails_is_named(small, monkeypatch, capsys):
    """The summary is in the book's order, whichever ended first, and the exit code says that not all is reproduced."""
    monkeypatch.setattr(reproduction, "WORKERS", 3)
    assert reproduction.main(["--scale", "tiny", "--model", "a folder", "--root", str(small)]) == 1
    assert "01_second.ipynb failed" in capsys.readouterr().err
    out = small / "build" / "reproduce" / "tiny"
    summary = json.loads((out / "summary.json").read_text())
    assert [(one["notebook"], one["passed"]) for one in summary] == [("00_first", True), ("01_second", False)]
    assert "model a folder steps 2" in (out / "logs" / "00_first.log").read_text()


def scored(root, monkeypatch, change=lambda record: None, code=0):
    """Score tiny's cabinets again, by a stand-in for the command that writes the old result, changed."""
    (root / "results").mkdir()
    shutil.copy(ROOT / "results" / "tiny_cabinets.json", root / "results")
    ran = []

    def stand_in(words, cwd):
        ran.append(words[3:])
        record = json.loads((root / "results" / "tiny_cabinets.json").read_text())
        change(record)
        Path(words[words.index("--output") + 1]).write_text(json.dumps(record))
        return subprocess.CompletedProcess(words, code)

    monkeypatch.setattr(reproduction.subprocess, "run", stand_in)
    monkeypatch.setattr(reproduction.execution, "run", lambda *_: ([], []))
    return ran


def test_results_are_scored_again_and_agree(small, monkeypatch, capsys):
    ran = scored(small, monkeypatch)
    assert reproduction.reproduce(small, "tiny") == []
    assert ran[0][0] == "evaluate" and str(small / "build") in ran[0][ran[0].index("--output") + 1]
    printed = capsys.readouterr().out
    assert all(name in printed for name in rebuild(small / "results") if name.startswith("cabinets."))
    reproduction.reproduce(small, "tiny")
    assert len(ran) == 1  # kept


def test_a_number_that_is_not_the_ledgers_is_named(small, monkeypatch):
    def worse(record):
        record["summary"]["model"]["moving"]["mean"] -= 5

    scored(small, monkeypatch, worse)
    (line,) = reproduction.reproduce(small, "tiny")
    assert line.startswith("cabinets.tiny.psnr_moving: ") and "the ledger has" in line


def test_data_that_is_not_here_is_said(small, monkeypatch, capsys):
    scored(small, monkeypatch)
    path = small / "results" / "tiny_cabinets.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "command": "puppetmaster evaluate --data elsewhere --output results/a.json"}))
    assert reproduction.reproduce(small, "tiny") == []
    assert "again elsewhere is not here" in capsys.readouterr().out


def test_a_command_that_fails_costs_its_own_result_only(small, monkeypatch):
    done = []
    scored(small, monkeypatch, code=3)
    monkeypatch.setattr(reproduction.execution, "run", lambda *_: done.append("notebooks") or ([], []))
    assert reproduction.reproduce(small, "tiny") == ["tiny_cabinets.json: its command ended with exit code 3"]
    assert done == ["notebooks"]


def test_a_scale_that_is_not_shipped_wants_a_model(small, capsys, monkeypatch):
    monkeypatch.setattr(reproduction, "shipped_models", lambda: ["tiny"])
    assert reproduction.main(["--scale", "mini", "--root", str(small)]) == 2
    assert "mini is not among the shipped models (tiny): train it" in capsys.readouterr().err


def test_the_command_hands_the_exit_code_on(monkeypatch):
    monkeypatch.setattr("puppetmaster_core.cli.reproduce.subprocess.call", lambda words: 1)
    with pytest.raises(SystemExit) as ended:
        puppetmaster(["reproduce", "--scale", "smoke"])
    assert ended.value.code == 1
