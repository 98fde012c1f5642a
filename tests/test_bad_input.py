"""What is wrong on the command line is one line and exit code 2, before any work, and leaves nothing behind: every command."""

import json
import os
import re
import shlex
import shutil

import numpy as np
import pytest
from PIL import Image

from puppetmaster_core.cli import main
from puppetmaster_core.clips.rendering import RenderPlan, render_clips
from puppetmaster_core.clips.sources import find_source
from puppetmaster_core.clips.studio import Filming
from puppetmaster_core.curation.judge import KEY, MODEL, URL
from puppetmaster_core.drags import Drags
from puppetmaster_core.pipeline import PuppetMasterPipeline


@pytest.fixture(scope="module")
def folder(smoke_folder, tmp_path_factory):
    """The working folder: a picture and its drags, a model, a clip, and each of them spoilt."""
    here = tmp_path_factory.mktemp("here")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)).save(here / "door.png")
    shutil.copy(here / "door.png", here / "door.png.gif")
    Drags.from_pixels([[[20, 30], [70, 30]]], (90, 60)).to_json(here / "door.json", image_size=(90, 60))
    for name, points, size in (("beside", [[-50, 5], [-9, 9]], (90, 60)), ("square", [[5, 5], [9, 9]], (90, 90))):
        Drags.from_pixels([points], size).to_json(here / f"{name}.json", image_size=size)
    Drags.from_pixels([[[5, 5], [9, 9]]] * 6, (90, 60)).to_json(here / "six.json", image_size=(90, 60))
    (here / "half.json").write_text("{")
    (here / "half.png").write_bytes((here / "door.png").read_bytes()[:3000])
    np.savez_compressed(here / "flipped.npz", drags=np.random.default_rng(0).random((14, 5, 4)))
    damaged = bytearray((here / "flipped.npz").read_bytes())
    middle = slice(len(damaged) // 2, len(damaged) // 2 + 40)
    damaged[middle] = bytes(255 - byte for byte in damaged[middle])
    (here / "flipped.npz").write_bytes(damaged)
    for name in ("smoke", "truncated", "words", "pickled"):
        shutil.copytree(smoke_folder, here / name)
    weights = next(here.glob("truncated/unet/*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:500_000])
    for part in here.glob("pickled/unet/*.safetensors"):
        part.rename(part.with_suffix(".bin"))
    index = here / "words" / "model_index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"frames": "four"}))
    for name in ("out.gif", "empty", "strange", "broken", "films/a", "methods/some", "runs", "damaged"):
        (here / name).mkdir(parents=True)
    (here / "strange" / os.fsdecode(b"bad\xff.glb")).write_bytes(b"glTF")
    (here / "broken" / "plan.json").write_text("{")
    (here / "damaged" / "D-0.json").write_text('{"settings": ')
    shutil.copy(here / "door.png", here / "films" / "a")
    list(render_clips(here / "clips", RenderPlan(find_source("cabinets", 1), Filming(size=64, frames=4)), workers=0))
    return here


def animate(image="door.png", drags="door.json", output="a.gif", model="smoke", more=""):
    return shlex.join(["animate", image, "--drags", drags, "--output", output, "--model", model]) + f" {more}"


CURATE, FOREST, TRAIN, RENDER = (f"{name} --output made" for name in ("curate", "forest", "train", "render"))
CLIP, ARMS = "--size 64 --frames 4 --count 1 --workers 1", "reproduce --scale ablation --work runs --results"
BAD_INPUT = [
    ("", "required: COMMAND"), ("dance", "invalid choice: 'dance'"), ("animate door.png --output a.gif", "required: --drags"),
    (animate("gone.png"), "gone.png: no such file, expected a picture"),
    (animate("n" * 300), "cannot be read (File name too long)"), (animate("a\nb.png"), "a b.png: no such file"),
    (animate("door.png.gif", output="door.png.gif"), "door.png.gif: this is what you gave"),
    (animate(drags="half.json"), "half.json: not valid JSON (line 1, column 2)"),
    (animate(drags="beside.json"), "drag 1 lies outside the picture (it starts at (-50, 5), expected points from (0, 0) to ("),
    (animate(drags="square.json"), "on a picture of 90×90"),
    (animate(drags="six.json"), "got 6 drags, this checkpoint encodes at most 5"),
    (animate(model="tinny"), "no model 'tinny', expected a shipped model"), (animate(model="truncated"), "cannot be loaded"),
    (animate("half.png"), "half.png: cannot be read"), (animate(model="pickled"), "no file named"),
    (animate(drags="flipped.npz"), "flipped.npz: cannot be read"),
    (animate(model="words"), "frames='four', expected a whole number"),
    (animate(output="out.gif"), "out.gif: this is a folder"),
    (animate(output="none/a.gif"), "none/a.gif: cannot be written (No such file"),
    (animate(more="--steps 0"), "'0', expected a whole number from 1 to 1000"),
    (animate(more="--steps many"), "'many', expected a whole number"),
    (animate(more="--guidance nan"), "'nan', expected a number from 1"),
    (animate(more="--speed"), "unrecognized arguments: --speed"),
    (animate(more=f"--seed {2**32}"), "from 0 to 4294967295"),  # would give the video of seed 0
    (animate(more="--solver heun"), "invalid choice: 'heun'"),
    (f"{RENDER} nowhere", "nowhere: no such folder or file"), (f"{RENDER} empty", "empty: got no .glb or .gltf file"),
    (f"{RENDER} strange", r"got the file name 'bad\udcff.glb'"), (f"{RENDER} library:tabel", "did you mean table"),
    (f"{RENDER} cabinets --cache-features nowhere", "no model 'nowhere'"),
    (f"{RENDER} cabinets --output broken", "plan.json: cannot be read"),
    (f"{RENDER} cabinets {CLIP} --views 2 --output clips", "got views 2, was made with 1: choose another folder"),
    (f"{RENDER} cabinets {CLIP} --count 2 --output clips", "got count 2, was made with 1"),
    (f"{RENDER} library {CLIP} --output clips", "was made"),
    ("assets make --category laptp --count 2 --output made", "did you mean laptop"),
    ("assets make --category box, --count 2 --output made", "got category ''"),
    (f"{CURATE} /nowhere", "/nowhere: no such folder"), (f"{CURATE} cabinets", "cabinets"),
    (f"{CURATE} library --rank 2 --world-size 2", "ranks count from 0"),
    (f"{CURATE} library --forest /nowhere", "make one with `puppetmaster forest`"),
    (f"{CURATE} library --categories /nowhere.json", "/nowhere.json: cannot be read"),
    (f"{CURATE} library --judge", "not set"), (f"{CURATE} library --price 1,2", "without --judge"),
    (f"{CURATE} library --judge --price cheap", "two numbers"),
    (f"{CURATE} library --judge --budget 3", "--budget without --price"),
    (f"{FOREST} --labels x.csv", "--labels or --official and --table go together"),
    (f"{FOREST} --table x.parquet", "--labels or --official and --table go together"),
    (f"{FOREST} --files /nowhere/at/all", "no such folder"),
    (f"{FOREST} --good 3 --bad 8 --workers 1", "3 objects with good animations"),
    (f"{TRAIN} --weights smoke --clips 1", "got a model with latents=pictures, the scale 'tiny' has motion"),
    (f"{TRAIN} --data clips", "got clips with frames 4, expected 14: render them with --frames 14"),
    (f"{TRAIN} --data clips --clips 3", "leave one out"), (f"{TRAIN} --data empty", "index/*.parquet"),
    (f"{TRAIN} --scale mini", "got no clips: render some at 256 pixels"),
    ("evaluate --kinds ovne --model gone", "did you mean oven"),  # before a model is loaded
    ("evaluate --kinds all --data x", "--kinds with --data"), ("evaluate --data x --straight", "--straight with --data"),
    ("evaluate --data x --model none --videos v", "--videos with --model none"),
    ("evaluate --methods .", "--methods without --data"), ("evaluate --tracker lk", "--tracker without --data"),
    ("evaluate --model a --model b", "2 models"), ("evaluate --clips 1", "expected a whole number from 2"),
    ("evaluate --data nowhere", "no such folder"), ("evaluate --data empty --model none", "no clips"),
    ("evaluate --output .", "this is a folder"), ("evaluate --output no/scores.json", "cannot be written"),
    ("evaluate --data films --methods methods --model some", "two rows with the name 'some'"),
    ("solvers --only Heun", "expected the beginning of one of: Euler 50;"),
    (f"{ARMS} runs --arms E", "got arm 'E', expected one of A, B, C, D"), (f"{ARMS} runs --table drag", "did you mean 'drags'?"),
    (f"{ARMS} runs --show", "got no runs of the grid, expected some"), (f"{ARMS} damaged --show", "D-0.json: cannot be read"),
]


@pytest.mark.parametrize(("words", "line"), BAD_INPUT, ids=[words[:80] or "nothing" for words, _ in BAD_INPUT])
def test_bad_input_is_one_line_and_exit_code_2(folder, words, line, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    if "six" not in words:  # that is for the pipeline to say
        monkeypatch.setattr(PuppetMasterPipeline, "__call__", lambda *_, **__: pytest.fail("it began to compute"))
    for name in (URL, MODEL, KEY):
        monkeypatch.delenv(name, raising=False)
    before = set(folder.rglob("*"))
    ours = True
    try:
        code = main(shlex.split(words))
    except SystemExit as end:  # argparse's own words
        code, ours = end.code, False
    out, err = capsys.readouterr()
    *progress, said = err.splitlines()
    assert code == 2 and not out and line in said
    if words.startswith("animate") and ours:
        assert said.startswith("puppetmaster animate: error: ")
        assert re.search("(expected|wanted).*: ", said) or "draw fewer" in said  # what to do comes last
    assert not progress or words.startswith(FOREST) or "six" in words  # known only once assets are measured, or a model is loaded
    assert {path.name for path in set(folder.rglob("*")) - before} <= {"made", ".lock"}  # a run's folder, and nothing in it
    shutil.rmtree("made", ignore_errors=True)
