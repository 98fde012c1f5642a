"""What the house stands on: versions that agree, imports that run one way, nothing of one machine in the files."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SET_UP_EXTRAS = ["notebooks", "book", "tests"]


def committed_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def requirements(*extras: str) -> list[Requirement]:
    lists = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][extra] for extra in extras)]
    return [Requirement(line) for lines in lists for line in lines]


def locked() -> dict[str, Version]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(pin.name): Version(str(pin.specifier).removeprefix("==")) for pin in pins}


# ---- versions --------------------------------------------------------------------------------------------------------


def test_every_requirement_of_the_set_up_is_locked_within_its_range():
    versions = locked()
    for requirement in requirements(*SET_UP_EXTRAS):
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in requirements.lock: run `make lock`"
        assert requirement.specifier.contains(version), f"locked {requirement.name} {version}, wanted {requirement.specifier}"


def test_what_is_required_is_used():
    modules = {"pillow": "PIL", "scikit-image": "skimage", "imageio-ffmpeg": "imageio_ffmpeg"}
    code = "\n".join(path.read_text() for path in (ROOT / "puppetmaster_core").rglob("*.py"))
    for requirement in requirements():
        module = modules.get(requirement.name, requirement.name)
        assert re.search(rf"^\s*(import|from) {module}\b", code, re.M), f"{requirement.name} is required and never imported"


def test_the_lock_fits_any_build_and_any_index():
    text = (ROOT / "requirements.lock").read_text()
    assert locked()["torch"] == Version("2.13.0")
    assert not re.search(r"\+|://|--|@|\.whl", text), "a local version, an address or an option is in the lock"
    assert "torchvision" not in locked()
    assert not [name for name in locked() if name.startswith(("nvidia-", "cuda-"))]


def test_extras_are_all_there_and_none_brings_torchvision():
    extras = PROJECT["optional-dependencies"]
    assert set(extras) == {"notebooks", "book", "tests", "compressed", "curation", "objaverse", "tracking", "perceptual",
                           "st-lpips", "blender", "scale-out", "dev"}
    assert "torchvision" not in {requirement.name for requirement in requirements(*extras)}


def test_environment_yml_installs_the_lock_and_this_checkout():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    python = next(entry for entry in conda if entry.startswith("python="))
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(python.removeprefix("python="))
    assert f"Python {python.removeprefix('python=')}" in (ROOT / "requirements.lock").read_text().splitlines()[0]
    assert {entry.split("=")[0] for entry in conda} == {"python", "pip"}, "versions belong in requirements.lock"
    assert pip == ["-r requirements.lock", f"-e .[{','.join(SET_UP_EXTRAS)}]"]


# ---- files -----------------------------------------------------------------------------------------------------------


def test_citation_is_valid_and_names_this_version():
    import puppetmaster_core

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == puppetmaster_core.__version__
    assert citation["authors"] == PROJECT["authors"]


def test_no_committed_file_holds_a_path_of_one_machine():
    # Spelled in pieces, or this file would find itself.
    somebodys = rb"(?<![\w.$~-])/(?:home|Users)/[\w.-]+/|(?<![\w./-])/" + rb"root/|[A-Z]:\\+Users\\"
    here = {str(ROOT), str(ROOT.parent / "shared"), str(Path(sys.prefix).resolve())}
    pattern = re.compile(b"|".join([somebodys, *(re.escape(path.encode()) for path in here)]))
    found = []
    for path in committed_files():
        if path.suffix in {".safetensors", ".gif", ".png", ".mp4", ".glb", ".npz"}:
            continue
        found += [f"{path.relative_to(ROOT)}: {hit.group().decode()}" for hit in pattern.finditer(path.read_bytes())]
    assert not found, found


def test_a_core_file_is_one_idea():
    files = [path for folder in ("puppetmaster_core", "data_cards", "book") for path in (ROOT / folder).rglob("*.py")]
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}
    assert not (long := {name: count for name, count in lines.items() if count > 260}), f"more than 260 lines: {long}"


def test_a_public_name_of_the_core_stands_for_one_thing():
    found, of_commands = {}, {"add_arguments", "run"}  # which every command's file has, for the command line to call
    for path in sorted((ROOT / "puppetmaster_core").rglob("*.py")):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        names = [node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
        for name in names:
            if not name.startswith("_") and not (path.parent.name == "cli" and name in of_commands):
                found.setdefault(name, []).append(str(path.relative_to(ROOT)))
    assert not (twice := {name: files for name, files in found.items() if len(files) > 1}), f"one word, one thing: {twice}"


def test_every_make_command_in_the_readme_is_a_target():
    if not (ROOT / "README.md").exists():
        pytest.skip("no README.md yet")
    code = re.findall(r"```.*?```|`[^`]+`", (ROOT / "README.md").read_text(), re.S)
    named = set(re.findall(r"\bmake ([a-z]+)\b", "\n".join(code)))
    assert named and named <= make_targets()


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.M))


# ---- imports ---------------------------------------------------------------------------------------------------------


def test_the_package_is_light_until_used():
    code = "import sys, puppetmaster_core as p; print(sorted({'torch', 'numpy', 'diffusers'} & set(sys.modules)), dir(p))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("[]")
    for name in ("Drags", "DragUNet", "PuppetMasterPipeline", "encode_drags"):
        assert name in done.stdout


def test_an_unknown_name_says_so():
    import puppetmaster_core

    with pytest.raises(AttributeError, match="no attribute 'Drag'"):
        _ = puppetmaster_core.Drag
