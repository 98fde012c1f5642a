"""`puppetmaster animate`: a file comes out, or one line says why not."""

import json
import os
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
from puppetmaster_core.pipeline import PuppetMasterPipeline


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


def test_a_picture_and_a_drag_become_a_gif(folder, smoke_folder, capsys):
    assert animate(smoke_folder, "--upscale", "1") == 0
    assert "door.gif: 4 frames of 64×43 pixels" in capsys.readouterr().out
    pipe = PuppetMasterPipeline.from_pretrained(smoke_folder)
    made = pipe("door.png", Drags.from_json("door.json", 4), seed=0)
    made.save("wanted.gif")
    assert (folder / "door.gif").read_bytes() == (folder / "wanted.gif").read_bytes()


def test_options_reach_the_pipeline(folder, smoke_folder, capsys):
    steps = []
    assert animate(smoke_folder, "--seed", "7", "--steps", "3", "--guidance", "2", "--solver", "dpm++", "--overlay", "--json",
                   "--fps", "20", output="door") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["size"] == [256, 172] and told["seed"] == 7 and told["drags"] == 1 and told["frames"] == 4
    assert set(told["seconds"]) == {"check", "load", "sample", "write"}
    pipe = PuppetMasterPipeline.from_pretrained(smoke_folder)
    made = pipe("door.png", Drags.from_json("door.json", 4), seed=7, steps=3, max_guidance=2, solver="dpm++",
                callback_on_step_end=lambda *step: steps.append(step) or {})
    made.save("wanted", overlay=True, upscale=4)
    assert len(steps) == 3
    for n in range(1, 5):
        assert (folder / "door" / f"frame_{n:03d}.png").read_bytes() == (folder / "wanted" / f"frame_{n:03d}.png").read_bytes()


def test_drags_of_another_size_of_the_same_picture_fit(folder, smoke_folder):
    Drags.from_pixels([[[40, 60], [140, 60]]], (180, 120)).to_json("large.json", image_size=(180, 120))
    assert animate(smoke_folder) == 0 and animate(smoke_folder, drags="large.json", output="large.gif") == 0
    assert (folder / "door.gif").read_bytes() == (folder / "large.gif").read_bytes()


def test_a_clip_in_the_layout_of_drag_a_move_works(folder, smoke_folder):
    array = np.zeros((14, 5, 4), np.float32)
    array[:, 0] = np.linspace((0.2, 0.3, 0.2, 0.3), (0.2, 0.3, 0.8, 1.1), 14)
    np.savez(folder / "clip.npz", drags=array, latents=np.zeros(3))
    frames = [Image.fromarray(np.full((32, 32, 3), value, np.uint8)) for value in (200, 0)]
    frames[0].save(folder / "clip.gif", save_all=True, append_images=frames[1:])
    assert animate(smoke_folder, image="clip.gif", drags="clip.npz", output="out.gif") == 0


def test_the_command_runs_as_a_module_and_is_quiet(folder, smoke_folder):
    words = [sys.executable, "-m", "puppetmaster_core", "animate", "door.png", "--drags", "door.json", "--output", "door.gif",
             "--model", str(smoke_folder), "--json"]
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


# ---- what goes wrong; bad words are in test_bad_input.py ----------------------------------------------------------------


def test_a_model_the_hub_does_not_give_is_one_line(folder, capsys, monkeypatch):
    monkeypatch.setattr(PuppetMasterPipeline, "download", lambda *_, **__: (_ for _ in ()).throw(OSError("no network\nhere")))
    assert animate("owner/name") == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "the hub did not give that model (no network here): check" in err


def test_what_was_there_stays_when_the_input_is_bad_or_writing_fails(folder, smoke_folder, capsys, monkeypatch):
    (folder / "door.gif").write_text("old")
    assert animate(smoke_folder, image="gone.png") == 2

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(sys.modules["puppetmaster_core.video"].WRITERS, ".gif", full)
    assert animate(smoke_folder) == 2
    assert "No space left" in capsys.readouterr().err.splitlines()[-1]
    assert (folder / "door.gif").read_text() == "old" and sorted(os.listdir(folder)) == ["door.gif", "door.json", "door.png"]


def test_weights_that_are_not_numbers_are_one_line(folder, smoke_folder, capsys):
    from safetensors.torch import load_file, save_file

    path = next(Path(shutil.copytree(smoke_folder, "model")).glob("unet/*.safetensors"))
    save_file({name: torch.full_like(tensor, torch.nan) for name, tensor in load_file(path).items()}, path)
    assert animate("model", "--steps", "1") == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "not finite" in line and "weights are damaged" in line
    assert not (folder / "door.gif").exists()


def test_libraries_are_silent_about_a_damaged_picture(folder, smoke_folder, capfd):
    with Image.open("door.png") as picture:
        picture.save("a.tif", compression="tiff_lzw")
    data, middle = Path("a.tif").read_bytes(), Path("a.tif").stat().st_size // 2
    Path("a.tif").write_bytes(data[:middle] + bytes(255 - b for b in data[middle:][:40]) + data[middle + 40 :])  # libtiff prints
    assert animate(smoke_folder, image="a.tif") == 2
    err = capfd.readouterr().err
    assert err.count("\n") == 1 and "a.tif: cannot be read" in err


def test_an_interrupted_command_leaves_nothing(folder, smoke_folder, capsys, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(PuppetMasterPipeline, "__call__", interrupt)
    assert animate(smoke_folder) == 130
    assert not (folder / "door.gif").exists() and capsys.readouterr().err == "\npuppetmaster animate: interrupted\n"


def test_an_error_of_our_own_is_not_dressed_up_as_bad_input(folder, smoke_folder, monkeypatch):
    def mistake(*_, **__):
        raise ValueError("a mistake in the code")

    monkeypatch.setattr(PuppetMasterPipeline, "__call__", mistake)
    with pytest.raises(ValueError, match="a mistake"):
        animate(smoke_folder)
