"""The data cards: complete, true to the files they describe where those are at hand, and read by mlcroissant."""

import csv
import json
import logging
import re
import shutil
from collections import Counter
from pathlib import Path

import mlcroissant
import pytest

import data_cards
from procedural_library import CATEGORIES, GROUPS, make_asset
from puppetmaster_core.clips.rendering import RenderPlan, render_clips
from puppetmaster_core.clips.shards import SCHEMA, read_index
from puppetmaster_core.clips.sources import find_source
from puppetmaster_core.clips.studio import Filming

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
CARDS = {card.parent.name: card for card in data_cards.cards(ROOT)}
WANTED = {"objaverse", "gobjaverse", "objaverse_animation", "objaverse_animation_hq", "drag_a_move", "gapartnet", "human36m",
          "amazon_berkeley_objects", "animated_assets", "procedural_library", "procedural_cabinets"}


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """mlcroissant logs what it recommends; the tests read it from the data set instead."""
    monkeypatch.setattr(logging.getLogger("absl"), "disabled", True)


def shared(*parts: str) -> Path:
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"needs {path.name}, which is not part of the checkout")
    return path


def table(name: str, section: str) -> list[list[str]]:
    """The cells of the lines of a card's table, without its head."""
    lines = [line for line in data_cards.sections(CARDS[name].read_text())[section].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def croissant(name: str, **more) -> mlcroissant.Dataset:
    return mlcroissant.Dataset(ROOT / "data_cards" / name / "croissant.json", **more)


# ---- every card ------------------------------------------------------------------------------------------------------


def test_every_set_has_a_whole_card_and_its_words_are_in_the_croissant():
    assert set(CARDS) >= WANTED
    assert data_cards.problems(ROOT) == []


@pytest.mark.parametrize("name", sorted(CARDS))
def test_croissant_is_valid_and_names_licence_source_and_citation(name):
    """mlcroissant raises on errors. Of what it recommends only a date and a version may be missing: old sets have none."""
    data = croissant(name)
    missing = {re.search(r"[^/]+(?=\" is recommended)", line)[0] for line in data.metadata.ctx.issues.warnings}
    assert missing <= {"datePublished", "version"}
    assert data.metadata.license and data.metadata.url and data.metadata.creators
    title = CARDS[name].read_text().splitlines()[0]
    assert title == f"# {data.metadata.name}"


def test_links_between_cards_lead_somewhere():
    for card in [*CARDS.values(), ROOT / "data_cards" / "README.md"]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", card.read_text()):
            assert (card.parent / target).exists(), f"{card}: {target}"


def test_what_is_wrong_with_a_card_is_said(tmp_path):
    folder = tmp_path / "data_cards" / "human36m"
    folder.mkdir(parents=True)
    text = CARDS["human36m"].read_text()
    (tmp_path / "data_cards" / "README.md").write_text("# Data cards\n")
    (folder / "README.md").write_text(text.replace("## Biases", "### Biases"))
    said = "\n".join(data_cards.problems(tmp_path))
    assert "empty or missing: ['Biases']" in said and "does not list human36m" in said and "croissant.json is missing" in said
    (folder / "README.md").write_text(text.replace("Eleven actors", "Twelve actors"))
    (folder / "croissant.json").write_text(CARDS["human36m"].with_name("croissant.json").read_text())
    assert "differs from its card" in "\n".join(data_cards.problems(tmp_path))
    assert data_cards.sync(tmp_path) == [folder / "croissant.json"] and data_cards.sync(tmp_path) == []
    assert "Twelve actors" in json.loads((folder / "croissant.json").read_text())["rai:dataBiases"][0]


# ---- what the cards say, counted again on the files ------------------------------------------------------------------


@pytest.mark.parametrize(("name", "file", "count"), [
    ("objaverse_animation", "objaverse-animation.json", 13_227), ("objaverse_animation_hq", "objaverse-animation-HQ.json", 8_069),
])
def test_lists_of_ids_load_and_are_as_long_as_the_card_says(name, file, count):
    """The SHA-256 in the croissant is checked by mlcroissant on the way."""
    path = shared("objaverse_ids", file)
    uids = [record["assets/uid"].decode() for record in croissant(name, mapping={file: path}).records("assets")]
    assert uids == json.loads(path.read_text())
    assert len(set(uids)) == len(uids) == count and f"{count:,} ids" in CARDS[name].read_text()
    malformed = [uid for uid in uids if not re.fullmatch("[0-9a-f]{32}", uid)]
    assert len(malformed) == {"objaverse_animation": 5, "objaverse_animation_hq": 1}[name]


def test_drag_a_move_counts():
    clips = json.loads(shared("drag_a_move", "index.json").read_text())
    text = CARDS["drag_a_move"].read_text()
    for category, count in Counter(clip["category"] for clip in clips).items():
        assert re.search(rf"^\| {category} \| {count} \|", text, re.M), category
    for drags, count in Counter(clip["n_drags"] for clip in clips).items():
        assert re.search(rf"\| \| {drags} \| {count} \|$", text, re.M), drags
    assert len(clips) == 51 and f"only {len({clip['instance'] for clip in clips})} different objects" in text


def test_animated_assets_carry_the_licences_and_authors_of_their_manifest():
    """Each line of the card's licence table stands for files; the manifest, read through the croissant, must agree."""
    manifest = shared("animated_assets", "manifest.csv")
    records = list(croissant("animated_assets", mapping={"manifest.csv": manifest}).records("files"))
    rows = [{key.split("/")[1]: v.decode() if isinstance(v, bytes) else v for key, v in record.items()} for record in records]
    assert [row["file"] for row in rows] == [row["file"] for row in csv.DictReader(manifest.open())]
    told = {}
    for files, author, licence in table("animated_assets", "Licence"):
        for pattern, count in re.findall(r"`([^`]+)`(?: \((\d+)\))?", files):
            matching = [row for row in rows if re.fullmatch(pattern.replace("…", ".+") + r"\.glb", row["file"])]
            assert len(matching) == int(count or 1), pattern
            told |= {row["file"]: (author, licence) for row in matching}
    assert set(told) == {row["file"] for row in rows}
    for row in rows:
        author, licence = told[row["file"]]
        names = set(re.findall(r"CC0|CC-BY", row["licence"]))
        assert {word for word in ("CC0", "CC-BY") if word.replace("-", " ") in licence} == names, row["file"]
        assert row["author"].split("; this")[0] == author, row["file"]


def test_cabinets_are_as_the_card_counts_them():
    moving, kinds, easing, opens, parts, faces = Counter(), Counter(), Counter(), 0, [], []
    for seed in range(500):
        asset = make_asset("cabinet", seed)
        joints = [joint for joint in asset.joints if joint.moves]
        moving[len(joints)] += 1
        easing[asset.easing] += 1
        kinds.update(joint.kind for joint in joints)
        opens += sum(abs(joint.end) > abs(joint.start) for joint in joints)
        parts.append(len(asset.submodels))
        faces.append(len(asset.faces))

    def percent(count, of):
        return f"{100 * count / of.total():.0f} %"

    text = CARDS["procedural_cabinets"].read_text()
    assert f"1 in {percent(moving[1], moving)}, 2 in {percent(moving[2], moving)}, 3 in {percent(moving[3], moving)}" in text
    assert f"{percent(kinds['prismatic'], kinds)} of moving parts slide" in text
    assert f"{percent(opens, kinds)} open" in text and f"{percent(easing['linear'], easing)} even" in text
    assert f"{min(parts)} to {max(parts)}, median {sorted(parts)[250]}" in text
    assert f"{min(faces)} to {max(faces):,}, median {sorted(faces)[250]}" in text


def test_the_librarys_categories_and_labels_are_in_its_card():
    rows = table("procedural_library", "Contents")
    told = {name: (group, label) for group, names, label in rows for name in names.split(", ")}
    good = {name: (CATEGORIES[name].group, CATEGORIES[name].label) for name in GROUPS["good"]}
    assert {name: place for name, place in told.items() if place[0] != "bad"} == good
    assert [name for name, place in told.items() if place[0] == "bad"] == list(GROUPS["bad"])


def test_croissant_of_the_library_loads_what_render_writes(tmp_path):
    """Two assets filmed in two shards: a record a clip, with the values of the index; its fields are the index's columns."""
    plan = RenderPlan(find_source("library:furniture", 2), Filming(size=32, frames=3), assets_a_shard=1)
    list(render_clips(tmp_path / "clips", plan, workers=0))
    path = shutil.copy(ROOT / "data_cards" / "procedural_library" / "croissant.json", tmp_path / "clips")
    data = mlcroissant.Dataset(path)
    assert [field.name for field in data.metadata.record_sets[0].fields] == SCHEMA.names
    records = [{key.removeprefix("clips/"): v.decode() if isinstance(v, bytes) else v for key, v in record.items()}
               for record in data.records("clips")]
    wanted = sorted(read_index(tmp_path / "clips").to_pylist(), key=lambda row: row["key"])
    assert sorted(records, key=lambda record: record["key"]) == wanted
    assert {record["licence"] for record in records} == {"CC0-1.0"} and data.metadata.license == [
        "https://creativecommons.org/publicdomain/zero/1.0/"]
