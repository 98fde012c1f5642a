"""The fast rasteriser against Blender's Cycles: what it drew is kept in a small fixture, and drawn again where bpy is installed.

The tolerances are the project's own (foreground IoU ≥ 0.999, sub-models ≥ 0.99); depth differs where Cycles' one sample lies
a hundredth of a pixel beside the centre.
"""

import numpy as np
import pytest
from blender_cases import CASES, CYCLES, FIXTURE, LIGHTS, SIZE, UNKEPT, draw

from puppetmaster_core.evaluation.metrics import psnr
from puppetmaster_core.render import BlenderError, Camera, Cycles, Lights, blender_python, render, render_blender
from puppetmaster_core.render.blender import PYTHON_VARIABLE

needs_blender = pytest.mark.skipif(blender_python() is None, reason="bpy is not installed: make blender")


def kept(case):
    with np.load(FIXTURE, allow_pickle=False) as stored:
        return {name.partition("/")[2]: stored[name] for name in stored.files if name.startswith(f"{case}/")}


@pytest.fixture(params=["kept", pytest.param("drawn now", marks=needs_blender)])
def passes(request):
    """A function from a case to Blender's passes."""
    return kept if request.param == "kept" else draw


@pytest.mark.parametrize("case", CASES)
def test_both_renderers_see_the_same(case, passes):
    asset, positions, camera = CASES[case]()
    ours, theirs = render(asset, positions, camera, SIZE, lights=LIGHTS), passes(case)
    here, there = ours.part_ids >= 0, theirs["part_ids"] >= 0
    both = here & there
    assert both.sum() / (here | there).sum() >= 0.999
    assert (ours.part_ids == theirs["part_ids"])[both].mean() >= 0.99
    off = np.abs(ours.depth / np.where(both, theirs["depth"], 1) - 1)[both & (ours.part_ids == theirs["part_ids"])]
    assert np.median(off) < 3e-5 and off.max() < 2e-3
    assert np.abs(ours.alpha / 255 - theirs["alpha"] / 255).mean() < 0.005
    if "world" in theirs:
        same = both & (ours.face == theirs["face"])
        assert same.sum() / both.sum() > 0.9  # the rest lies on edges between triangles
        np.testing.assert_allclose(ours.world(asset, positions)[same], theirs["world"][same], atol=3e-3)
        np.testing.assert_allclose(ours.barycentric[same], theirs["barycentric"][same], atol=0.02)


@pytest.mark.parametrize("case", CASES)
def test_both_renderers_give_the_same_colours_under_shadowless_suns(case, passes):
    """Textures the right way up, holes, smooth normals, linear light: a flipped texture or a missing light falls below 25 dB."""
    asset, positions, camera = CASES[case]()
    ours, theirs = render(asset, positions, camera, SIZE, lights=LIGHTS), passes(case)
    assert psnr(ours.frames, theirs["frames"]) > 31
    off = np.abs(ours.frames.astype(float) - theirs["frames"])[(ours.alpha == 255) & (theirs["alpha"] == 255)]
    assert np.median(off) <= 3


@needs_blender
@pytest.mark.parametrize("case", UNKEPT)
def test_both_renderers_draw_what_exporters_write(case):
    asset, positions, camera = UNKEPT[case]()
    ours, theirs = render(asset, positions, camera, SIZE, lights=LIGHTS), draw(case)
    assert (ours.part_ids == theirs["part_ids"]).mean() > 0.99
    off = np.abs(ours.frames.astype(float) - theirs["frames"])[(ours.alpha == 255) & (theirs["alpha"] == 255)]
    assert psnr(ours.frames, theirs["frames"]) > 30 and np.median(off) <= 3


@needs_blender
def test_blender_fills_a_rendering(tmp_path):
    asset, positions, camera = CASES["cabinet 3"]()
    turned = Camera(camera.azimuth + 30, camera.elevation, camera.distance, camera.target)
    drawn = render_blender(asset, positions, [camera, turned], 32, cycles=Cycles(samples=2), log=tmp_path / "log.txt")
    assert len(drawn) == 2
    for ours, theirs in zip([render(asset, positions, c, 32) for c in (camera, turned)], drawn, strict=True):
        for name in ("frames", "alpha", "part_ids", "depth", "face", "barycentric"):
            a, b = getattr(ours, name), getattr(theirs, name)
            assert (a.shape, a.dtype) == (b.shape, b.dtype), name
        assert psnr(ours.frames, theirs.frames) > 18  # plain lights, and physical ones with shadows that look alike
        assert (ours.part_ids == theirs.part_ids).mean() > 0.98
    assert "stderr" in (tmp_path / "log.txt").read_text()


@needs_blender
def test_a_run_that_takes_too_long_is_stopped():
    asset, positions, camera = CASES["cabinet 3"]()
    with pytest.raises(BlenderError, match=r"longer than 0\.2 s and was stopped"):
        render_blender(asset, positions, [camera], SIZE, cycles=CYCLES, time_limit=0.2)


@pytest.mark.parametrize("script, said", [("import sys; sys.exit('no such mesh')", "exit code 1; its last word: no such mesh"),
                                          ("pass", "exit code 0; its last word: nothing")])
def test_a_failing_run_keeps_its_stderr(script, said, monkeypatch, tmp_path):
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\necho 'Blender 4.5'\nexec python3 -c \"{script}\"\n")
    fake.chmod(0o755)
    monkeypatch.setenv(PYTHON_VARIABLE, str(fake))
    asset, positions, camera = CASES["cabinet 3"]()
    with pytest.raises(BlenderError, match=said) as caught:
        render_blender(asset, positions, [camera], SIZE, log=tmp_path / "log.txt")
    assert caught.value.stderr.strip() == ("no such mesh" if "exit(" in script else "")
    assert "Blender 4.5" in (tmp_path / "log.txt").read_text()


def test_without_blender_the_error_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv(PYTHON_VARIABLE, str(tmp_path / "nowhere"))
    asset, positions, camera = CASES["cabinet 3"]()
    with pytest.raises(BlenderError, match="make blender"):
        render_blender(asset, positions, [camera], SIZE)


def test_plain_lights_become_physical_ones_that_look_alike():
    # Facing the light and in the dark the two agree: by the formula, (ambient + strength · |cos|) as displayed.
    plain = Lights()
    physical = plain.as_physical()
    assert physical.physical and len(physical.suns) == 2 * len(plain.suns)
    towards, strength = physical.directions(), physical.strengths()
    for normal, cosine in ((plain.directions()[0], 1.0), (np.cross(plain.directions()[0], (0, 1, 0)), 0.0)):
        linear = physical.ambient + (strength * np.maximum(towards @ normal, 0)).sum()
        assert linear ** (1 / 2.2) == pytest.approx(plain.ambient + plain.suns[0].strength * cosine)
