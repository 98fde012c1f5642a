"""`puppetmaster animate`: a file comes out, or one line says why not."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from puppetmaster_core.cli import COMMANDS, main, parser
from puppetmaster_core.drags import Drags
from puppetmaster_core.pipeline import PuppetMasterPipeline, build
from puppetmaster_core.presets import SMOKE


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "smoke"
    build(SMOKE).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, with a picture and its drags."""
    picture = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "door.png")
    Drags.from_pixels([[[20, 30], [70, 30]]], (90, 60)).to_json(tmp_path / "door.json", image_size=(90, 60))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def animate(model, *more, image="door.png", drags="door.json", output="door.gif"):
    words = ["animate", image, "--drags", drags, "--output", output, "--model", model, *more]
    return main([str(word) for word in words])


# ---- animate ---------------------------------------------------------------------------------------------------------


def test_a_picture_and_a_drag_become_a_gif(folder, model, capsys):
    assert animate(model, "--upscale", "1") == 0
    assert "door.gif: 4 frames of 64×43 pixels" in capsys.readouterr().out
    pipe = PuppetMasterPipeline.from_pretrained(model)
    made = pipe("door.png", Drags.from_json("door.json", 4), seed=0)
    made.save("wanted.gif")
    assert (folder / "door.gif").read_bytes() == (folder / "wanted.gif").read_bytes()


def test_options_reach_the_pipeline(folder, model, capsys):
    steps = []
    assert animate(model, "--seed", "7", "--steps", "3", "--guidance", "2", "--solver", "dpm++", "--overlay", "--json",
                   "--fps", "20", output="door") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["size"] == [256, 172] and told["seed"] == 7 and told["drags"] == 1 and told["frames"] == 4
    assert set(told["seconds"]) == {"check", "load", "sample", "write"}
    pipe = PuppetMasterPipeline.from_pretrained(model)
    made = pipe("door.png", Drags.from_json("door.json", 4), seed=7, steps=3, max_guidance=2, solver="dpm++",
                callback_on_step_end=lambda *step: steps.append(step) or {})
    made.save("wanted", overlay=True, upscale=4)
    assert len(steps) == 3
    for n in range(1, 5):
        assert (folder / "door" / f"frame_{n:03d}.png").read_bytes() == (folder / "wanted" / f"frame_{n:03d}.png").read_bytes()


def test_drags_of_another_size_of_the_same_picture_fit(folder, model):
    Drags.from_pixels([[[40, 60], [140, 60]]], (180, 120)).to_json("large.json", image_size=(180, 120))
    assert animate(model) == 0 and animate(model, drags="large.json", output="large.gif") == 0
    assert (folder / "door.gif").read_bytes() == (folder / "large.gif").read_bytes()


def test_a_clip_in_the_layout_of_drag_a_move_works(folder, model):
    array = np.zeros((14, 5, 4), np.float32)
    array[:, 0] = np.linspace((0.2, 0.3, 0.2, 0.3), (0.2, 0.3, 0.8, 1.1), 14)
    np.savez(folder / "clip.npz", drags=array, latents=np.zeros(3))
    frames = [Image.fromarray(np.full((32, 32, 3), value, np.uint8)) for value in (200, 0)]
    frames[0].save(folder / "clip.gif", save_all=True, append_images=frames[1:])
    assert animate(model, image="clip.gif", drags="clip.npz", output="out.gif") == 0


def test_the_command_runs_as_a_module_and_is_quiet(folder, model):
    words = [sys.executable, "-m", "puppetmaster_core", "animate", "door.png", "--drags", "door.json", "--output", "door.gif",
             "--model", str(model), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["output"] == "door.gif"
    assert "Warning" not in done.stderr and "sampling" in done.stderr


# ---- help ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command, capsys):
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    told = capsys.readouterr().out
    assert end.value.code == 0 and f"puppetmaster {command}" in told.split("example", 1)[1]


def test_the_example_of_animate_is_a_valid_command(capsys):
    with pytest.raises(SystemExit):
        main(["animate", "--help"])
    told = capsys.readouterr().out
    [example] = [line for line in told.splitlines() if line.strip().startswith("puppetmaster animate")]
    assert parser().parse_args(example.split()[1:]).model == "tiny"
    [record] = [line for line in told.splitlines() if line.strip().startswith('{"format"')]
    assert len(Drags.from_json(record.strip())) == 1


def test_help_imports_no_heavy_library():
    code = ("import sys; from puppetmaster_core.cli import main\ntry: main(['animate', '--help'])\nexcept SystemExit: pass\n"
            "print(sorted({'torch', 'numpy', 'PIL', 'diffusers', 'transformers'} & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


# ---- bad input -------------------------------------------------------------------------------------------------------


def text(record, name="door.json"):
    Path(name).write_text(record if isinstance(record, str) else json.dumps(record))


def drags(points, size=(90, 60)):
    text({"format": "puppetmaster.drags/1", "image_size": size, "drags": [{"points": path} for path in points]})


def many_frames(model):
    """A copy of the model that says in words how many frames it makes."""
    path = Path(shutil.copytree(model, "model")) / "model_index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"frames": "four"}))


def deflated():
    np.savez_compressed("door.npz", drags=np.random.default_rng(0).random((14, 5, 4)))
    return Path("door.npz")


def flip(path):
    """Other bits in the middle of a file."""
    data = path.read_bytes()
    middle = len(data) // 2
    path.write_bytes(data[:middle] + bytes(255 - byte for byte in data[middle : middle + 40]) + data[middle + 40 :])


# what is wrong, what the line says, how it is brought about, and the arguments that are not the usual ones
BAD_INPUT = [
    ("no picture", "gone.png: no such file, expected a picture", None, {"image": "gone.png"}),
    ("a name of two lines", "a b.png: no such file", None, {"image": "a\nb.png"}),
    ("drags outside", "drag 1 lies outside the picture (it starts at (-50, 5), expected points from (0, 0) to (",
     lambda _: drags([[[-50, 5], [-9, 9]], [[500, 5], [600, 5]]]), {}),
    ("an output over the picture", "door.png.gif: this is what you gave", lambda _: shutil.copy("door.png", "door.png.gif"),
     {"image": "door.png.gif", "output": "door.png.gif"}),
    ("drags on another picture", "on a picture of 90×90", lambda _: drags([[[5, 5], [9, 9]]], (90, 90)), {}),
    ("an unknown model", "no model 'tinny', expected a shipped model", None, {"model": "tinny"}),
    ("words for the frames", "frames='four', expected a whole number", many_frames, {"model": "model"}),
    ("a damaged compressed npz", "cannot be read", lambda _: flip(deflated()), {"drags": "door.npz"}),
]


@pytest.mark.parametrize("line, prepare, arguments", [pytest.param(*rest, id=name) for name, *rest in BAD_INPUT])
def test_bad_input_is_one_line_and_exit_code_2(folder, model, capsys, monkeypatch, line, prepare, arguments):
    monkeypatch.setattr(PuppetMasterPipeline, "__call__", lambda *_, **__: pytest.fail("it began to compute"))
    if prepare:
        prepare(model)
    before = sorted(folder.rglob("*"))
    assert animate(**{"model": model} | arguments) == 2
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1 and err.startswith("puppetmaster animate: error: ") and line in err
    assert re.search("(expected|wanted).*: ", err) or "draw fewer" in err  # what to do comes last
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    "more, line",
    [
        (["--steps", "0"], "'0', expected a whole number from 1 to 1000"),
        (["--guidance", "nan"], "'nan', expected a number from 1"),
        (["--seed", str(2**32)], "expected a whole number from 0 to 4294967295"),  # would give the video of seed 0
        (["--solver", "heun"], "invalid choice: 'heun'"),
    ],
)
def test_bad_options_are_one_line_and_exit_code_2(folder, model, capsys, more, line):
    with pytest.raises(SystemExit) as end:
        animate(model, *more)
    err = capsys.readouterr().err
    assert end.value.code == 2 and err.count("\n") == 1 and line in err
    assert not (folder / "door.gif").exists()


@pytest.mark.parametrize("words", [[], ["animate", "door.png", "--output", "door.gif"], ["dance"]])
def test_a_command_without_what_it_needs_is_one_line(words, capsys):
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2 and capsys.readouterr().err.count("\n") == 1


def test_a_model_the_hub_does_not_give_is_one_line(folder, capsys, monkeypatch):
    monkeypatch.setattr(PuppetMasterPipeline, "download", lambda *_, **__: (_ for _ in ()).throw(OSError("no network\nhere")))
    assert animate("owner/name") == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "the hub did not give that model (no network here): check" in err


def test_what_was_there_stays_when_the_input_is_bad_or_writing_fails(folder, model, capsys, monkeypatch):
    (folder / "door.gif").write_text("old")
    assert animate(model, image="gone.png") == 2

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(sys.modules["puppetmaster_core.video"].WRITERS, ".gif", full)
    assert animate(model) == 2
    assert "No space left" in capsys.readouterr().err.splitlines()[-1]
    assert (folder / "door.gif").read_text() == "old" and sorted(os.listdir(folder)) == ["door.gif", "door.json", "door.png"]


def test_weights_that_are_not_numbers_are_one_line(folder, model, capsys):
    from safetensors.torch import load_file, save_file

    path = next(Path(shutil.copytree(model, "model")).glob("unet/*.safetensors"))
    save_file({name: torch.full_like(tensor, torch.nan) for name, tensor in load_file(path).items()}, path)
    assert animate("model", "--steps", "1") == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "not finite" in line and "weights are damaged or in too low a precision" in line
    assert not (folder / "door.gif").exists()


def test_libraries_are_silent_about_a_damaged_picture(folder, model, capfd):
    with Image.open("door.png") as picture:
        picture.save("a.tif", compression="tiff_lzw")
    flip(Path("a.tif"))  # libtiff prints what it thinks of that
    assert animate(model, image="a.tif") == 2
    err = capfd.readouterr().err
    assert err.count("\n") == 1 and "a.tif: cannot be read" in err


def test_an_interrupted_command_leaves_nothing(folder, model, capsys, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(PuppetMasterPipeline, "__call__", interrupt)
    assert animate(model) == 130
    assert not (folder / "door.gif").exists() and capsys.readouterr().err == "\npuppetmaster animate: interrupted\n"


def test_an_error_of_our_own_is_not_dressed_up_as_bad_input(folder, model, monkeypatch):
    def mistake(*_, **__):
        raise ValueError("a mistake in the code")

    monkeypatch.setattr(PuppetMasterPipeline, "__call__", mistake)
    with pytest.raises(ValueError, match="a mistake"):
        animate(model)
