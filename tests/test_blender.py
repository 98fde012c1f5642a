"""The fast rasteriser against Blender's Cycles: what it drew is kept in a small fixture, and drawn again where bpy is installed.

The tolerances are the project's own (foreground IoU ≥ 0.999, sub-models ≥ 0.99); depth differs where Cycles' one sample lies
a hundredth of a pixel beside the centre.
"""

from dataclasses import replace

import numpy as np
import pytest
from blender_cases import CASES, CYCLES, FIXTURE, LIGHTS, SIZE, UNKEPT, draw

from puppetmaster_core.evaluation.metrics import psnr
from puppetmaster_core.render import BlenderError, Cycles, Lights, blender_python, render, render_blender
from puppetmaster_core.render.blender import PYTHON_VARIABLE

needs_blender = pytest.mark.skipif(blender_python() is None, reason="bpy is not installed: make blender")


def kept(case):
    with np.load(FIXTURE, allow_pickle=False) as stored:
        return {name.partition("/")[2]: stored[name] for name in stored.files if name.startswith(f"{case}/")}


@pytest.mark.parametrize("case", CASES)
def test_both_renderers_see_the_same(case):
    asset, positions, camera = CASES[case]()
    ours, theirs = render(asset, positions, camera, SIZE, lights=LIGHTS), kept(case)
    here, there = ours.part_ids >= 0, theirs["part_ids"] >= 0
    both = here & there
    assert both.sum() / (here | there).sum() >= 0.999
    assert (ours.part_ids == theirs["part_ids"])[both].mean() >= 0.99
    off = np.abs(ours.depth / np.where(both, theirs["depth"], 1) - 1)[both & (ours.part_ids == theirs["part_ids"])]
    assert np.median(off) < 3e-5 and off.max() < 2e-3


@needs_blender
@pytest.mark.parametrize("case", CASES | UNKEPT)
def test_blender_sees_the_same_parts_now(case):
    """Each sub-model in a colour of its own that no light changes: where a pixel is all of one colour, that is its part."""
    asset, positions, camera = (CASES | UNKEPT)[case]()
    levels = np.linspace(0, 1, len(asset.submodels))
    painted = [replace(asset.materials[asset.material[np.argmax(asset.submodel == part)]], color=(level, 1 - level, 0.5),
                       texture=None, alpha_mode="opaque", unlit=True) for part, level in enumerate(levels)]
    painted = replace(asset, materials=painted, material=asset.submodel, colors=None)
    ours = render(painted, positions, camera, SIZE)
    theirs = render_blender(painted, positions, camera, SIZE, cycles=CYCLES)
    off = np.abs(theirs.frames[..., None, :] - 255 * np.stack([levels, 1 - levels, 0 * levels + 0.5], -1)).max(-1)
    whole = (off.min(-1) < 1.5) & (theirs.alpha == 255)
    assert whole.mean() > 0.05 and (off.argmin(-1) == ours.part_ids)[whole].mean() >= 0.99


@pytest.mark.parametrize(("case", "how"), [*((case, "kept") for case in CASES), *(
    pytest.param(case, "drawn now", marks=needs_blender) for case in CASES | UNKEPT)])
def test_both_renderers_give_the_same_colours_under_shadowless_suns(case, how):
    """Textures the right way up, holes, smooth normals, linear light: a flipped texture or a missing light falls below 25 dB."""
    asset, positions, camera = (CASES | UNKEPT)[case]()
    theirs = kept(case) if how == "kept" else vars(draw(case))
    ours = render(asset, positions, camera, SIZE, lights=LIGHTS)
    assert np.abs(ours.alpha / 255 - theirs["alpha"] / 255).mean() < (0.005 if case in CASES else 0.01)
    assert psnr(ours.frames, theirs["frames"]) > (31 if case in CASES else 28.5)  # nearest texels are not softened by 4 samples
    off = np.abs(ours.frames.astype(float) - theirs["frames"])[(ours.alpha == 255) & (theirs["alpha"] == 255)]
    assert np.median(off) <= 3


@needs_blender
def test_blender_fills_a_rendering():
    asset, positions, camera = CASES["cabinet 3"]()
    ours, theirs = render(asset, positions, camera, 32), render_blender(asset, positions, camera, 32, cycles=Cycles(samples=2))
    assert psnr(ours.frames, theirs.frames) > 18  # plain lights, and physical ones with shadows that look alike
    for name in ("part_ids", "depth", "face", "barycentric"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))


@needs_blender
def test_a_run_that_takes_too_long_is_stopped():
    asset, positions, camera = CASES["cabinet 3"]()
    with pytest.raises(BlenderError, match=r"longer than 0\.2 s and was stopped"):
        render_blender(asset, positions, camera, SIZE, cycles=CYCLES, time_limit=0.2)


@pytest.mark.parametrize("script, said", [("import sys; sys.exit('no such mesh')", "exit code 1; its last word: no such mesh"),
                                          ("pass", "exit code 0; its last word: nothing")])
def test_a_failing_run_keeps_its_stderr(script, said, monkeypatch, tmp_path):
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\necho 'Blender 4.5'\nexec python3 -c \"{script}\"\n")
    fake.chmod(0o755)
    monkeypatch.setenv(PYTHON_VARIABLE, str(fake))
    asset, positions, camera = CASES["cabinet 3"]()
    with pytest.raises(BlenderError, match=said) as caught:
        render_blender(asset, positions, camera, SIZE)
    assert caught.value.stderr.strip() == ("no such mesh" if "exit(" in script else "")


def test_without_blender_the_error_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv(PYTHON_VARIABLE, str(tmp_path / "nowhere"))
    asset, positions, camera = CASES["cabinet 3"]()
    with pytest.raises(BlenderError, match="make blender"):
        render_blender(asset, positions, camera, SIZE)


def test_plain_lights_become_physical_ones_that_look_alike():
    # Facing the light and in the dark the two agree: by the formula, (ambient + strength · |cos|) as displayed.
    plain = Lights()
    physical = plain.as_physical()
    assert physical.physical and len(physical.suns) == 2 * len(plain.suns)
    towards, strength = physical.directions(), physical.strengths()
    for normal, cosine in ((plain.directions()[0], 1.0), (np.cross(plain.directions()[0], (0, 1, 0)), 0.0)):
        linear = physical.ambient + (strength * np.maximum(towards @ normal, 0)).sum()
        assert linear ** (1 / 2.2) == pytest.approx(plain.ambient + plain.suns[0].strength * cosine)
