"""How a video is drawn: qualities, noise levels, guidance in an interval, tiles, compiled calls."""

import json

import pytest
import torch
from accelerate.hooks import ModelHook, add_hook_to_module, remove_hook_from_module
from oracle import smoke
from torch._dynamo.utils import counters

from puppetmaster_core import Drags, PuppetMasterPipeline
from puppetmaster_core.checkpoints import ModelError
from puppetmaster_core.cli.arguments import load_pipeline
from puppetmaster_core.presets import QUALITIES, SOLVERS
from puppetmaster_core.sampling import AYS_SIGMAS, Sampling, ays_sigmas, make_solver

RIGHT = Drags([[[0.3, 0.4], [0.8, 0.4]]])


def latents(pipe, picture, drags=RIGHT, **how):
    return pipe(picture, drags, seed=0, output_type="latent", **how)


# ---- noise levels ----------------------------------------------------------------------------------------------------


def test_align_your_steps_has_the_published_levels_and_levels_between():
    assert ays_sigmas(10) == [700.0, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.0]
    assert torch.equal(Sampling("ays", 10).scheduler(None).sigmas, torch.tensor(ays_sigmas(10)))
    for steps in (1, 5, 19, 40):
        levels = ays_sigmas(steps)
        assert len(levels) == steps + 1 and levels == sorted(levels, reverse=True) and levels[-1] == 0
        assert levels[0] == pytest.approx(700) and (steps == 1 or levels[-2] == pytest.approx(0.034))
    assert ays_sigmas(19)[2:18:2] == pytest.approx(AYS_SIGMAS[1:9]), "every other one is theirs"


# ---- qualities -------------------------------------------------------------------------------------------------------


def test_a_quality_is_a_set_of_settings_and_a_call_may_change_some():
    own = Sampling(None, 7, 1.0, 4.0)
    table = {"draft": {"solver": "ays", "steps": 10, "interval": [0.1, 20]}}
    assert Sampling.choose(own, None, table) == own
    assert Sampling.choose(own, "draft", table) == Sampling("ays", 10, 1.0, 4.0, (0.1, 20))
    assert Sampling.choose(own, "draft", table, steps=5, max_guidance=2.0) == Sampling("ays", 5, 1.0, 2.0, (0.1, 20))
    assert Sampling.choose(own, None, table, interval=(0, 1), solver=None).interval == (0, 1)
    assert {name: Sampling.choose(own, name, QUALITIES).steps for name in QUALITIES} == {"draft": 10, "good": 25, "paper": 50}


def test_quality_picks_the_models_own_settings_which_are_saved_with_it(pipe, picture, tmp_path):
    wanted = latents(pipe, picture, solver="dpm++", steps=10)
    assert torch.equal(latents(pipe, picture, quality="draft"), wanted)
    assert not torch.equal(latents(pipe, picture, quality="draft", steps=3), wanted)
    other = smoke(trained=True, qualities={"draft": {"solver": "ays", "steps": 4, "interval": (0.1, 50.0)}})
    other.save_pretrained(tmp_path / "model")
    loaded = PuppetMasterPipeline.from_pretrained(tmp_path / "model")
    assert loaded.sampling("draft") == Sampling("ays", 4, 1.0, 5.0, (0.1, 50.0))
    with pytest.raises(ValueError, match="quality='good', expected one of draft"):
        loaded(picture, RIGHT, quality="good")
    path = tmp_path / "model" / "model_index.json"
    index = json.loads(path.read_text())
    wrongs = ({"draft": {"step": 4}}, "expected some of solver"), ({"a": 3}, "expected some of"), ({"a": {"steps": 0}}, "steps=0")
    for wrong, message in wrongs:
        path.write_text(json.dumps(index | {"qualities": wrong}))
        with pytest.raises(ModelError, match=message):
            PuppetMasterPipeline.from_pretrained(tmp_path / "model")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"steps": 0}, "steps=0, expected a whole number from 1 to 1000"),
        ({"steps": True}, "steps=True"),
        ({"quality": "best"}, "quality='best', expected one of draft, good, paper"),
        ({"solver": "heun"}, "solver='heun', expected one of euler, dpm\\+\\+, ays"),
        ({"interval": (0, float("nan"))}, "expected two noise levels"),
        ({"max_guidance": float("inf")}, "guidance from 1.0 to inf"),
        ({"max_guidance": "3"}, "guidance from 1.0 to '3', expected numbers"),
        ({"seed": 1.5}, "seed=1.5, expected a whole number"),
        ({"min_guidance": 0}, "guidance from 0 to 5.0, expected numbers from 1"),
    ],
)
def test_settings_that_cannot_be(pipe, picture, how, message):
    calls = []
    handle = pipe.unet.register_forward_pre_hook(lambda *args: calls.append(args))
    with pytest.raises(ValueError, match=message):
        pipe(picture, RIGHT, **{"seed": 0} | how)
    handle.remove()
    assert not calls, "refused before any work"


# ---- guidance in an interval -----------------------------------------------------------------------------------------


def test_guidance_outside_of_the_interval_costs_nothing_and_changes_nothing(pipe, picture):
    sigmas = Sampling("dpm++", 6).scheduler(None).sigmas[:-1].tolist()
    calls = []
    handle = pipe.unet.register_forward_pre_hook(lambda _, args: calls.append(len(args[0])))
    some = latents(pipe, picture, solver="dpm++", steps=6, interval=(sigmas[3], sigmas[1]))
    handle.remove()
    assert calls == [1, 2, 2, 2, 1, 1], "both ends included"
    everywhere = latents(pipe, picture, solver="dpm++", steps=6)
    assert torch.equal(latents(pipe, picture, solver="dpm++", steps=6, interval=(0, 1000)), everywhere)
    nowhere = latents(pipe, picture, solver="dpm++", steps=6, interval=(1000, 1000))
    assert torch.equal(nowhere, latents(pipe, picture, solver="dpm++", steps=6, max_guidance=1))
    assert not torch.allclose(some, everywhere) and not torch.allclose(some, nowhere)


def test_a_blank_null_sees_no_picture(picture):
    pipe, calls = smoke(trained=True, null_picture=False), []
    pipe.unet.register_forward_pre_hook(lambda _, args: calls.append(args))
    latents(pipe, picture, steps=1)
    [(sample, _, embedding, _, conditioning)] = calls
    assert not sample[0, :, 4:].any() and not embedding[0].any() and conditioning.blank
    assert sample[1, :, 4:].any() and embedding[1].any()


# ---- several sets of drags, one graph -----------------------------------------------------------------


def test_the_denoising_loop_compiles_into_one_graph(picture):
    pipe = smoke(trained=True)
    wanted = latents(pipe, picture, steps=3)
    torch._dynamo.reset()
    counters.clear()
    assert pipe.compile(backend="eager") is None
    rehearsed = counters["stats"]["unique_graphs"]
    for _ in range(2):
        torch.testing.assert_close(latents(pipe, picture, steps=3), wanted, rtol=1e-4, atol=1e-4)
    assert counters["stats"]["unique_graphs"] - rehearsed == 1 and not counters["graph_break"]


def test_without_a_compiler_all_stays_as_it_was(picture):
    def broken(graph, inputs):
        raise RuntimeError("no compiler\nanywhere")

    pipe = smoke(trained=True)
    wanted = latents(pipe, picture)
    torch._dynamo.reset()
    assert "no compiler anywhere" in pipe.compile(backend=broken)
    assert torch.equal(latents(pipe, picture), wanted)


class Waiting(ModelHook):
    """As a network that diffusers keeps off the GPU until it is wanted."""

    def __init__(self):
        self.fetched = False

    def pre_forward(self, module, *args, **kwargs):
        self.fetched = True
        return args, kwargs


def test_an_offloaded_network_is_fetched_for_its_drags_too():
    unet = smoke(trained=True).unet
    points, present = torch.rand(1, 1, 4, 2), torch.ones(1, 1, dtype=torch.bool)
    for work in (lambda: unet.condition(points, present, (8, 8)), lambda: unet.null_conditioning(1, 4, (8, 8))):
        hook = Waiting()
        add_hook_to_module(unet, hook)
        work()
        assert hook.fetched
        remove_hook_from_module(unet)


def test_on_a_gpu_the_network_is_in_half_precision_and_pictures_are_not(picture, tmp_path, monkeypatch):
    smoke(trained=True).save_pretrained(tmp_path / "model")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(PuppetMasterPipeline, "to", lambda self, device: self)
    pipe = load_pipeline(str(tmp_path / "model"))
    assert pipe.unet.dtype == torch.bfloat16 and pipe.vae.dtype == pipe.image_encoder.dtype == torch.float32
    monkeypatch.undo()
    monkeypatch.setattr("puppetmaster_core.pipeline.check_precision", lambda *_: None)
    close = latents(pipe, picture) - latents(smoke(trained=True), picture)
    assert close.std() < 0.05 * latents(smoke(trained=True), picture).std()


def test_half_precision_is_refused_on_a_cpu(picture):
    pipe = smoke(trained=True)
    pipe.unet.to(torch.bfloat16)
    with pytest.raises(ModelError, match=r"bfloat16 to run on a CPU.*load it with dtype=torch\.float32, or move"):
        pipe(picture, RIGHT, seed=0)


def test_every_solver_keeps_to_the_noise_levels_of_the_model():
    own = make_solver("euler", (0.4, 80.0))
    for solver in (None, *SOLVERS):
        sigmas = Sampling(solver, 8).scheduler(own).sigmas
        assert float(sigmas[0]) == pytest.approx(80, rel=1e-4) and float(sigmas[-2]) == pytest.approx(0.4, rel=1e-4)
        assert sigmas[-1] == 0 and len(sigmas) == 9 and (sigmas[:-1] > sigmas[1:]).all()
