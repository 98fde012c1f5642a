"""The book's machinery, on the checkout's own notebooks and on a small book in a temporary folder."""

import shutil
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest

import binding
import book
import execution
import pairs

ROOT = Path(__file__).resolve().parents[1]

CHAPTER = """# %% [markdown]
# # A small chapter
#
# A few seconds. It adds two numbers, as in $a + b$.

# %% tags=["parameters"]
steps = 2

# %%
# seen by the reader
total = steps + 1
print("total", total)

# %%
assert total > steps
"""


@pytest.fixture
def small(tmp_path) -> Path:
    """A book of one chapter, in sync."""
    shutil.copytree(ROOT / "book", tmp_path / "book")
    shutil.copytree(ROOT / "results", tmp_path / "results")  # pages draw numbers from it
    (tmp_path / "book" / "intro.md").write_text("# A small book\n")  # links to no chapter that is not there
    (tmp_path / "book" / "_toc.yml").write_text("format: jb-book\nroot: intro\nchapters:\n- file: notebooks/00_small\n")
    (tmp_path / "book" / "parameters.yml").write_text("00_small: {steps: 5}\n")
    (tmp_path / "notebooks" / "src").mkdir(parents=True)
    (tmp_path / "notebooks" / "src" / "00_small.py").write_text(CHAPTER)
    pairs.sync(tmp_path)
    return tmp_path


def text(root: Path) -> Path:
    return root / "notebooks" / "src" / "00_small.py"


def edit(path: Path, old: str, new: str) -> None:
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


# ---- this checkout ---------------------------------------------------------------------------------------------------


def test_notebooks_agree_with_their_text():
    assert pairs.pair_problems(ROOT) == []


def test_notebooks_have_a_place_a_title_and_parameters():
    assert pairs.form_problems(ROOT) == []


# ---- pairs -----------------------------------------------------------------------------------------------------------


def test_sync_is_a_function_of_the_text(small):
    path = small / "notebooks" / "00_small.ipynb"
    first = path.read_bytes()
    assert pairs.sync(small) == []
    path.unlink()
    assert pairs.sync(small) == [path]
    assert path.read_bytes() == first
    assert nbformat.validate(nbformat.read(path, as_version=4)) is None
    assert pairs.pair_problems(small) == pairs.form_problems(small) == []


def test_an_edit_on_either_side_is_seen_whatever_the_file_times(small):
    edit(text(small), "steps + 1", "steps + 2")
    assert ["differs" in line for line in pairs.pair_problems(small)] == [True]
    pairs.sync(small)
    edit(small / "notebooks" / "00_small.ipynb", "steps + 2", "steps + 3")
    assert ["differs" in line for line in pairs.pair_problems(small)] == [True]
    pairs.sync(small)
    assert "steps + 2" in (small / "notebooks" / "00_small.ipynb").read_text()


def test_outputs_are_seen_and_taken_out(small):
    path = small / "notebooks" / "00_small.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[2].outputs = [nbformat.v4.new_output("stream", text="total 3\n")]
    nbformat.write(notebook, path)
    assert ["holds outputs" in line for line in pairs.pair_problems(small)] == [True]
    pairs.sync(small)
    assert pairs.pair_problems(small) == []


def test_a_notebook_saved_by_jupytext_itself_agrees(small):
    """What JupyterLab does on saving a paired notebook, its header included."""
    shutil.copy(ROOT / "pyproject.toml", small)
    path = small / "notebooks" / "00_small.ipynb"
    edit(path, "steps + 1", "1 + steps")
    jupytext_command = str(Path(sys.executable).with_name("jupytext"))
    subprocess.run([jupytext_command, "--sync", str(path)], cwd=small, check=True, capture_output=True)
    assert "1 + steps" in text(small).read_text()
    assert pairs.pair_problems(small) == []


def test_half_a_pair_is_named(small):
    nbformat.write(jupytext.read(text(small)), small / "notebooks" / "01_alone.ipynb")
    (small / "notebooks" / "00_small.ipynb").unlink()
    lines = [line.split(":")[0] for line in pairs.pair_problems(small)]
    assert lines == ["00_small.ipynb is missing", "01_alone.ipynb has no text"]


def test_form_is_checked(small):
    edit(text(small), '# %% tags=["parameters"]', "# %%")
    edit(text(small), "# # A small chapter", "# # A small chapter\n# # Another")
    (small / "book" / "_toc.yml").write_text("format: jb-book\nroot: intro\nchapters:\n- file: notebooks/09_gone\n")
    lines = "\n".join(pairs.form_problems(small))
    assert "2 level-1 titles" in lines and "parameters" in lines
    assert "00_small.py is not in book/_toc.yml" in lines and "notebooks/09_gone, which is missing" in lines


def test_a_line_of_code_that_a_page_would_cut_is_named(small):
    edit(text(small), "steps + 1", "steps + 1" + " + 0" * 20 + "  # " + "a" * 40)
    (line,) = pairs.form_problems(small)
    assert line.startswith("00_small.py: a line of code with ") and "cuts it after 88" in line


# ---- running and binding ---------------------------------------------------------------------------------------------


def test_a_run_is_at_laptop_scale_and_once(small, capfd, monkeypatch):
    monkeypatch.setattr(execution, "digest", lambda root: "the core as it is")
    edit(text(small), "A few seconds.", "**Scale:** `tiny`, 64 pixels. A few seconds.")
    pairs.sync(small)
    book.run(small)
    assert "total 6" in (small / "build" / "book" / "logs" / "00_small.log").read_text(), "book/parameters.yml was not read"
    first = execution.summary_table(small)
    assert "| [A small chapter](notebooks/00_small.ipynb) | passed |" in first and "| `steps=5` | `tiny` |" in first
    capfd.readouterr()
    book.run(small)
    assert "unchanged since it was last run" in capfd.readouterr().out
    assert execution.summary_table(small) == first, "a kept run shows the seconds of when it ran"
    edit(small / "book" / "parameters.yml", "5", "6")
    book.run(small)
    assert "running" in capfd.readouterr().out


def test_a_failing_notebook_is_named_and_left_to_read(small, capsys):
    edit(text(small), "assert total > steps", "assert total < steps, 'no such luck'")
    pairs.sync(small)
    assert book.main(["run", "--root", str(small)]) == 1
    out = small / "build" / "book" / "notebooks"
    said = capsys.readouterr().err
    assert "00_small.ipynb failed, see build/book/notebooks/00_small.failed.ipynb: AssertionError: no such luck" in said
    assert [path.name for path in out.iterdir()] == ["00_small.failed.ipynb"]
    log = (small / "build" / "book" / "logs" / "00_small.log").read_text()
    assert "total 6" in log and "no such luck" in log
    assert "(notebooks/00_small.ipynb) | failed: AssertionError: no such luck |" in execution.summary_table(small)


@pytest.mark.parametrize(
    ("parameters", "line"),
    [("00_small: {stpes: 5}", "sets stpes, which 00_small does not have"),
     ("01_gone: {a: 1}", "names 01_gone, no such notebook")],
)
def test_unknown_parameters_are_refused(small, capsys, parameters, line):
    (small / "book" / "parameters.yml").write_text(parameters)
    edit(text(small), 'print("total", total)\n', "")
    pairs.sync(small)
    assert book.main(["run", "--root", str(small)]) == 1
    assert line in capsys.readouterr().err


def test_what_a_run_depends_on(small):
    """The cache key sees the results, which chapters print numbers from, the locked versions, and what chapters share."""
    before = execution.digest(small)
    assert execution.digest(small) == before
    (small / "results").mkdir(exist_ok=True)
    (small / "results" / "another.json").write_text("[]")
    with_results = execution.digest(small)
    (small / "requirements.lock").write_text("numpy==2\n")
    locked = execution.digest(small)
    (small / "notebooks" / "lib").mkdir()
    (small / "notebooks" / "lib" / "figures.py").write_text("WIDTH = 10\n")
    assert len({before, with_results, locked, execution.digest(small)}) == 4


def test_pictures_are_described_by_the_words_above_them():
    picture = nbformat.v4.new_output("display_data", data={"image/png": "AAAA"})
    plain, own = (nbformat.v4.new_code_cell("show()", outputs=[picture]) for _ in range(2))
    own.metadata.mystnb = nbformat.from_dict({"image": {"alt": "mine"}})
    said = nbformat.v4.new_markdown_cell("## A title\n\nIt moves. Look at `the` [door](x.md): $u_k$ is on it.")
    notebook = nbformat.v4.new_notebook(cells=[said, plain, own])
    binding.describe_pictures(notebook)
    assert plain.metadata["mystnb"]["image"]["alt"] == "It moves. Look at the door: u_k is on it."
    assert own.metadata["mystnb"]["image"]["alt"] == "mine"


def test_a_page_that_asks_the_network_is_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<script async src="https://example.org/x.js"></script><a href="https://example.org">read</a>'
        '<link rel="stylesheet" href="//cdn.example/y.css">'
    )
    assert binding.network_requests(tmp_path) == [
        "a.html loads https://example.org/x.js from the network",
        "a.html loads //cdn.example/y.css from the network",
    ]
