"""What the book's pages say of the code: equations, deviations, the reference, the bibliography, links to elsewhere."""

import ast
import inspect
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

import api
import binding
import equations
import links
import pairs
from puppetmaster_core.clips import drag_sampling
from puppetmaster_core.encoding import encode_drags
from puppetmaster_core.model import DragUNet
from puppetmaster_core.model.modulation import modulate
from puppetmaster_core.model.released import RELEASED
from puppetmaster_core.pipeline import PuppetMasterPipeline
from puppetmaster_core.presets import Preset
from puppetmaster_core.render.blender import Cycles
from puppetmaster_core.training.config import Recipe, RunSettings
from sources import piece

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DEVIATIONS = (ROOT / "book" / "deviations.md").read_text()


# ---- equations -------------------------------------------------------------------------------------------------------


def test_every_equation_has_its_function_and_its_test():
    assert equations.problems(ROOT) == []


def test_a_broken_link_is_found(tmp_path, monkeypatch):
    wrong = equations.Equation("eq-9", "Eq. 9", ("puppetmaster_core.drags.gone", "puppetmaster_core.drags.pad_drags"),
                               ("test_drags.py::test_gone", "test_diffusion.py::test_noise_levels_are_log_normal"))
    monkeypatch.setattr(equations, "EQUATIONS", (wrong,))
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "equations.md").write_text("(eq-8)=\n```{equation} eq-8\n```\n")
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    lines = "\n".join(equations.problems(tmp_path))
    assert "differ: eq-8, eq-9" in lines and "drags.py has no 'gone'" in lines
    assert "neither puppetmaster_core.drags.pad_drags nor its module's first lines name Eq. 9" in lines
    assert "tests/test_drags.py::test_gone is not there" in lines
    assert "test_noise_levels_are_log_normal uses none of gone, pad_drags" in lines


def test_an_equation_shows_its_code_and_its_test():
    shown = equations.block("eq-3", ROOT)
    assert "{py:obj}`puppetmaster_core.model.modulation.modulate`" in shown
    assert "f = f * (1 + gamma) + beta" in shown and "def test_modulation_is_equation_3" in shown
    with pytest.raises(LookupError, match="eq-99"):
        equations.block("eq-99", ROOT)


def test_displayed_equations_of_chapters_that_have_a_place_link_to_it():
    """A chapter that links to the page of equations links to a formula that is there."""
    labels = {one.label for one in equations.EQUATIONS}
    texts = [*(ROOT / "book").glob("*.md"), *(ROOT / "notebooks" / "src").glob("*.py")]
    used = {name for path in texts for name in re.findall(r"\((?:[\w./]*equations\.md)?#(eq-[\w-]+)\)", path.read_text())}
    assert used and used <= labels
    unused = [label for label in labels if not equations.chapters_of(label, ROOT)]
    assert unused == [], "formulas that no chapter leads to"


def test_a_chapters_formula_without_a_link_is_found_and_the_page_leads_back(tmp_path):
    chapter = tmp_path / "notebooks" / "src" / "05_waves.py"
    chapter.parent.mkdir(parents=True)
    chapter.write_text("# %% [markdown]\n# # Waves\n#\n# See [Eq. 3](../book/equations.md#eq-3).\n#\n# $$ a = b $$\n"
                       "# %% [markdown]\n# $$ c\n# = d $$\n# %%\nprint('$$')\n"
                       "# %% [markdown]\n# [x](../book/equations.md#eq-99)\n")
    lines = [line for line in equations.problems(tmp_path) if line.startswith("05_waves")]
    assert lines == ["05_waves.py: c = d … has no link to book/equations.md: add [Eq. n](../book/equations.md#eq-…)",
                     "05_waves.py: book/equations.md has no eq-99"]
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    assert "In the chapters: [Waves](notebooks/05_waves.ipynb)." in equations.block("eq-3", tmp_path)
    assert "In the chapters" not in equations.block("eq-4", tmp_path)


def test_chapters_come_in_the_order_of_their_numbers():
    pages = pairs.pages_of(yaml.safe_load((ROOT / "book" / "_toc.yml").read_text()))
    numbers = [int(re.match(r"notebooks/(\d+)_", page)[1]) for page in pages if page.startswith("notebooks/")]
    assert numbers == sorted(numbers) and len(numbers) == len(list((ROOT / "notebooks").glob("*.ipynb")))


def test_every_chapter_ends_with_an_exercise_and_a_folded_solution():
    for text in pairs.texts(ROOT):
        words = text.read_text()
        assert re.search(r"^# ## Exercise", words, re.M), f"{text.name} has no exercise"
        assert "<details><summary>Solution</summary>" in words[words.index("# ## Exercise"):], f"{text.name} has no solution"


# ---- deviations ------------------------------------------------------------------------------------------------------

DRAG_RULES = {field.name: field for field in fields(drag_sampling.DragRules)}


def defaults(owner) -> dict:
    return {name: one.default for name, one in inspect.signature(owner).parameters.items()}


OWNERS = {
    "DragUNet": (defaults(DragUNet.__init__), RELEASED),
    "DragRules": (vars(drag_sampling.PAPER), vars(drag_sampling.RELEASED)),
    "PuppetMasterPipeline": (defaults(PuppetMasterPipeline.__init__), {}),
    "encode_drags": (defaults(encode_drags), {}),
    "Recipe": (defaults(Recipe), {}),
    "Preset": (defaults(Preset), {}),
    "RunSettings": (defaults(RunSettings), {}),
    "Cycles": (defaults(Cycles), {}),
}


def test_deviations_name_settings_with_the_values_they_have():
    found = re.findall(r"`(\w+)\.(\w+)`: `([^`]+)`(?: / `([^`]+)`)?", DEVIATIONS)
    assert found
    for owner, name, default, released in found:
        if owner == "render":
            continue
        have, other = OWNERS[owner]
        assert have[name] == ast.literal_eval(default), f"{owner}.{name} is {have[name]!r}, the page says {default}"
        if released and name in other:
            assert other[name] == ast.literal_eval(released), f"released {owner}.{name} is {other[name]!r}, not {released}"


def test_every_released_setting_is_on_the_page():
    for name in RELEASED:
        assert f"`DragUNet.{name}`" in DEVIATIONS
    for name in (n for n in DRAG_RULES if getattr(drag_sampling.PAPER, n) != getattr(drag_sampling.RELEASED, n)):
        assert f"`DragRules.{name}`" in DEVIATIONS


# ---- reference -------------------------------------------------------------------------------------------------------


def test_every_public_module_is_on_one_page_of_the_reference():
    listed = [name for words in api.pages(ROOT).values() for name in api.modules_of(words)]
    assert sorted(listed) == sorted(api.modules_of(" ".join(api.tops()))) and len(listed) > 100
    assert {"model.attention", "assets.gltf.document", "drags", "files"} <= set(listed)
    toc = (ROOT / "book" / "_toc.yml").read_text()
    assert all(f"file: api/{page}\n" in toc for page in api.pages(ROOT))


def test_docstrings_become_text_that_means_what_it_says():
    text = "A |b|* of c_d.\n\nname: what it is\n    and more\nother, too: `code`s\n\n    example --x\n\nlast `one"
    assert api.to_rst(text) == [
        r"A \|b\|\* of c\_d.", "", "* name: what it is and more", "* other, too: ``code``\\ s", "",
        "::", "", "    example --x", "", "last 'one", "",
    ]


def test_a_function_is_described_with_its_equations():
    lines = inspect.getdoc(modulate).splitlines()
    api.describe(None, "function", "puppetmaster_core.model.modulation.modulate", None, None, lines)
    assert lines[0].startswith("Drag modulation, Eq. 3: f <- f \\* (1 + gamma) + beta.")
    assert "Implements :ref:`Eq. 3 <eq-3>`; the tests that check it are there." in lines
    assert api.field_comment("puppetmaster_core.sampling.Sampling.min_guidance") == "of the first frame"
    assert '"""The same motion' in piece("puppetmaster_core.drags.Drags.resample")


# ---- bibliography ----------------------------------------------------------------------------------------------------


def test_references_are_those_of_the_paper():
    paper = ROOT.parent / "shared" / "paper" / "puppet-master.txt"
    if not paper.exists():
        pytest.skip("the paper's text is not here")
    known = re.sub(r"[^a-z0-9]+", " ", paper.read_text().lower())
    entries = re.findall(r"  title = \{(.+)\},\n(?:.*\n)?  year = \{(\d{4})\}", (ROOT / "book" / "references.bib").read_text())
    assert len(entries) > 20
    for title, year in entries:
        words = re.sub(r"[^a-z0-9]+", " ", title.lower().replace("{", "").replace("}", ""))
        place = known.find(words)
        assert place >= 0, f"the paper's list has no {title!r}"
        if "puppet" not in words:
            assert year in known[place : place + 400], f"{title!r} is not of {year}"


# ---- elsewhere -------------------------------------------------------------------------------------------------------


def test_links_lead_to_committed_files(monkeypatch):
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    monkeypatch.setenv("GITHUB_REPOSITORY", "someone/puppets")
    assert links.repository(ROOT) == "someone/puppets"
    for name in ("00_quickstart.ipynb", *links.ALONE):
        said = links.launch_line("someone/puppets", name)
        assert f"notebooks/{name}" in listed.stdout.split()
        assert f"mybinder.org/v2/gh/someone/puppets/main?urlpath=lab/tree/notebooks/{name}" in said
        assert f"/github/someone/puppets/blob/main/notebooks/{name}" in said
        assert ("pip install" in said) == (name not in links.ALONE)
    assert {"anywidget", "skops"} <= {re.match(r"[\w.-]+", need)[0] for need in PROJECT["optional-dependencies"]["notebooks"]}
    for name in links.ALONE:
        assert "puppetmaster_core" not in (ROOT / "notebooks" / name).read_text(), "it needs more than what Colab has"


def test_a_checkout_without_a_repository_has_no_links(tmp_path, monkeypatch):
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    assert links.repository(tmp_path) is None
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    subprocess.run(["git", "-C", str(tmp_path), "remote", "add", "origin", "git@github.com:a-b/c.d.git"], check=True)
    assert links.repository(tmp_path) == "a-b/c.d"


def test_links_to_prose_work_in_the_notebook_and_in_the_book():
    said = "See [Eq. 3](../book/equations.md#eq-3) and [Claims](../book/claims.md)."
    assert binding.TO_PROSE.sub(binding._page_link, said) == "See [Eq. 3](#eq-3) and [Claims](../claims.md)."


def test_binder_gets_the_python_of_the_lock_and_this_checkout():
    binder = yaml.safe_load((ROOT / ".binder" / "environment.yml").read_text())
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert next(e for e in conda["dependencies"] if str(e).startswith("python=")) in binder["dependencies"]
    post = ROOT / ".binder" / "postBuild"
    assert post.stat().st_mode & 0o111 and ".[notebooks]" in post.read_text()


def test_the_workflow_runs_what_there_is():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "book.yml").read_text())
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    commands = [line.strip() for step in steps for line in step.get("run", "").splitlines() if line.strip()]
    assert ".ci/run" in commands and "make book" in commands
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert {line.split()[1] for line in commands if line.startswith("make ")} <= targets
    restored, saved, upload = (next(s["with"]["path"] for s in steps if s.get("uses", "").startswith(f"actions/{name}@"))
                               for name in ("cache/restore", "cache/save", "upload-pages-artifact"))
    assert restored == saved == "build/book/notebooks" and upload == "build/book/_build/html"


def test_a_checkout_that_is_the_working_folder_is_the_one_that_is_found(tmp_path):
    """As Colab has it after the lines of `prepare`: chapters print numbers from the checkout's results, and import its `lib`."""
    _, *steps, last = links.prepare("a/b")
    assert steps == ["%cd puppets", "%pip install -q .[notebooks]"]
    without = shutil.ignore_patterns("weights", "__pycache__")
    shutil.copytree(ROOT / "puppetmaster_core", tmp_path / "puppetmaster_core", ignore=without)
    shutil.copytree(ROOT / "notebooks" / "lib", tmp_path / "notebooks" / "lib", ignore=without)
    asked = f"{last}; import lib.tables, puppetmaster_core.provenance as p; print(p.CHECKOUT)"
    said = subprocess.run([sys.executable, "-c", asked], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(said.stdout.strip()) == tmp_path
