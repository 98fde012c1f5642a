"""The pipeline: SVD's where it claims to be, exact where it can be, and clear about what it refuses."""

import json
import shutil

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLTemporalDecoder, UNetSpatioTemporalConditionModel
from networks import rewrite
from oracle import quiet, smoke
from PIL import Image
from transformers import CLIPImageProcessorPil, CLIPVisionConfig, CLIPVisionModelWithProjection

from puppetmaster_core.checkpoints import ModelError
from puppetmaster_core.diffusion import denoise, precondition
from puppetmaster_core.drags import DragError, Drags
from puppetmaster_core.latents.pictures import decode
from puppetmaster_core.model import DragUNet
from puppetmaster_core.pictures import PictureError
from puppetmaster_core.pipeline import PuppetMasterPipeline, build
from puppetmaster_core.presets import SMOKE, SOLVERS
from puppetmaster_core.sampling import Sampling, sample
from puppetmaster_core.video import Video

RIGHT = Drags([[[0.3, 0.4], [0.8, 0.4]]])
DOWN = Drags([[[0.3, 0.4], [0.3, 0.9]], [[0.7, 0.2], [0.7, 0.6]]])


def same(a, b):
    return np.array_equal(a.frames, b.frames)


# ---- solvers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SOLVERS)
def test_every_solver_scales_input_and_output_as_in_training(name):
    solver, generator = Sampling(name, 12).scheduler(None), torch.Generator().manual_seed(0)
    assert len(solver.timesteps) == 12
    assert torch.allclose(solver.sigmas[[0, -2, -1]], torch.tensor([700.0, 0.034 if name == "ays" else 0.002, 0.0]))
    assert float(solver.init_noise_sigma) == pytest.approx((700**2 + 1) ** 0.5)
    x = torch.randn(1, 4, 2, 3, 3, generator=generator) * 700
    for sigma, timestep in zip(solver.sigmas, solver.timesteps, strict=False):
        v, seen = torch.randn(x.shape, generator=generator), []

        def network(scaled, c_noise, seen=seen, v=v):
            seen.append((scaled, c_noise))
            return v

        clean = denoise(network, x, sigma[None])
        [(scaled, c_noise)] = seen
        assert torch.allclose(solver.scale_model_input(x, timestep), scaled)
        assert torch.allclose(timestep, c_noise) and torch.allclose(timestep, precondition(sigma)[3])
        if name != "dpm++":
            following = solver.sigmas[solver.step_index + 1]
            stepped, found = solver.step(v, timestep, x, return_dict=False)
            assert torch.allclose(stepped, x + (x - clean) / sigma * (following - sigma), rtol=1e-4, atol=1e-5)
        else:
            found = solver.convert_model_output(v, x)
            stepped = solver.step(v, timestep, x, return_dict=False)[0]
        assert torch.allclose(found, clean, rtol=1e-4, atol=1e-5)
        x = stepped
    assert torch.allclose(x, clean, atol=1e-5)


class GaussianNetwork:
    """The exact network for data of N(0, s²), as DragUNet is called."""

    dtype, s = torch.float32, 0.5

    def __call__(self, inputs, timestep, embedding, time_ids, conditioning, return_dict):
        sigma = (4 * timestep).exp()
        c_skip, c_out, c_in, _ = precondition(sigma)
        noisy = inputs[:, :, :2] / c_in
        return ((noisy * self.s**2 / (self.s**2 + sigma**2) - c_skip * noisy) / c_out,)


def test_dpm_needs_fewer_steps_and_both_end_where_the_equation_does():
    noise = torch.randn(1, 3, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    blank, error = torch.zeros(1, 2, 4, 4), {}
    exact = noise * GaussianNetwork.s * ((700**2 + 1) / (700**2 + GaussianNetwork.s**2)) ** 0.5
    for name, steps in (("euler", 10), ("euler", 50), ("dpm++", 10), ("ays", 10)):
        solver = Sampling(name, steps).scheduler(None)
        end = sample(GaussianNetwork(), solver, noise, blank, torch.zeros(1, 1, 4), torch.zeros(1, 3), None)
        error[name, steps] = (end - exact).abs().max().item()
    assert error["euler", 50] < error["euler", 10]
    assert error["dpm++", 10] < error["euler", 50]
    assert error["ays", 10] < error["euler", 10]


# ---- as SVD ----------------------------------------------------------------------------------------------------------


def test_without_drags_it_is_diffusers_svd_pipeline():
    """Same modules, same noise: pictures, latents, CLIP input, conditions and decoding follow SVD's conventions."""
    from diffusers import StableVideoDiffusionPipeline

    torch.manual_seed(0)
    down = ("DownEncoderBlock2D",) * 4
    vae = AutoencoderKLTemporalDecoder(block_out_channels=(32,) * 4, down_block_types=down, layers_per_block=1).eval()
    clip = CLIPVisionModelWithProjection(CLIPVisionConfig(**SMOKE.image_encoder | {"image_size": 224, "patch_size": 56})).eval()
    its_own = {name: value for name, value in SMOKE.unet.items() if not name.startswith(("modulation", "token"))}
    plain = UNetSpatioTemporalConditionModel(**its_own).eval()
    unet = DragUNet(**SMOKE.unet | {"attention": "spatial", "modulation": "none", "drag_tokens": False}).eval()
    unet.load_state_dict(plain.state_dict())
    ours = build(SMOKE, vae=vae, image_encoder=clip, unet=unet, size=224, latent_scale=0.18215, noise_augmentation=0.02)
    theirs = StableVideoDiffusionPipeline(vae, clip, plain, ours.scheduler, CLIPImageProcessorPil())
    for each in (ours, theirs):
        each.set_progress_bar_config(disable=True)

    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8))
    # The same generator draws the augmentation's noise and then the latents'.
    options = {"height": 224, "width": 224, "num_frames": 4, "num_inference_steps": 2, "max_guidance_scale": 1.0, "fps": 7}
    for kind in ("latent", "pt"):
        wanted = theirs(image, generator=torch.Generator().manual_seed(5), output_type=kind, **options).frames
        found = ours(image, None, seed=5, output_type=kind)
        assert torch.allclose(found * (0.18215 if kind == "latent" else 1), wanted, atol=1e-3 if kind == "latent" else 2e-4), kind


# ---- what a call does ------------------------------------------------------------------------------------------------


def test_a_picture_and_a_drag_give_a_video_that_the_drag_changes(pipe, picture):
    video = pipe(picture, RIGHT, seed=0)
    assert isinstance(video, Video) and video.frames.shape == (4, 64, 64, 3) and video.frames.dtype == np.uint8
    assert np.allclose(video.drags.points, RIGHT.resample(4).points) and video.fps == 7
    assert not same(video, pipe(picture, DOWN, seed=0)) and not same(video, pipe(picture, None, seed=0))


def test_a_seed_is_a_video(pipe, picture):
    video = pipe(picture, RIGHT, seed=3)
    assert same(video, pipe(picture, RIGHT, seed=3)) and not same(video, pipe(picture, RIGHT, seed=4))
    generator = torch.Generator().manual_seed(3)
    assert same(video, pipe(picture, RIGHT, generator=generator))
    assert not same(video, pipe(picture, RIGHT, generator=generator)), "a generator is drawn on from"
    torch.manual_seed(3)
    assert not same(pipe(picture, RIGHT), pipe(picture, RIGHT))


def test_several_drags_and_seeds_in_one_call_are_those_of_single_calls(pipe, picture):
    def single(drags, seed):
        return pipe(picture, drags, seed=seed, output_type="pt")[0]

    pairs = [(RIGHT, 0), (DOWN, 0), (None, 0)]
    together = pipe(picture, [drags for drags, _ in pairs], seed=0, output_type="pt")
    assert torch.allclose(together, torch.stack([single(*pair) for pair in pairs]), atol=1e-4)
    together = pipe(picture, RIGHT, seed=[0, 1], output_type="pt")
    assert torch.allclose(together, torch.stack([single(RIGHT, 0), single(RIGHT, 1)]), atol=1e-4)
    videos = pipe(picture, [RIGHT, DOWN], seed=[0, 1])
    assert [type(video) for video in videos] == [Video, Video] and len(videos[1].drags) == 2
    assert len(pipe(picture, [RIGHT], seed=0)) == 1


def calls_of(unet, work):
    """The inputs of every call of the network during work()."""
    calls = []
    handle = unet.register_forward_pre_hook(lambda module, inputs: calls.append(inputs))
    try:
        work()
    finally:
        handle.remove()
    return calls


def test_the_null_branch_drops_the_drags_and_nothing_else(pipe, picture):
    for inputs, _, embedding, ids, conditioning in calls_of(pipe.unet, lambda: pipe(picture, RIGHT, seed=0)):
        assert len(inputs) == 2
        assert torch.equal(inputs[0], inputs[1]) and inputs[0, :, 4:].abs().sum() > 0, "the picture's latents stay"
        assert torch.equal(embedding[0], embedding[1]) and embedding.abs().sum() > 0
        assert ids.tolist() == [[6.0, 127.0, 0.0]] * 2
        assert not conditioning.present[0].any() and conditioning.present[1, :, 0].all()


def test_guidance_of_one_costs_one_call_and_is_the_conditional_branch(pipe, picture):
    calls = calls_of(pipe.unet, lambda: pipe(picture, [RIGHT, DOWN], seed=0, max_guidance=1, steps=3))
    assert [len(inputs) for inputs, *_ in calls] == [2, 2, 2]
    assert [len(inputs) for inputs, *_ in calls_of(pipe.unet, lambda: pipe(picture, None, seed=0))] == [1, 1]
    almost = pipe(picture, RIGHT, seed=0, max_guidance=1 + 1e-6, output_type="pt")
    assert torch.allclose(pipe(picture, RIGHT, seed=0, max_guidance=1, output_type="pt"), almost, atol=1e-4)


def test_guidance_grows_over_the_frames(pipe, picture):
    """With one step, z is linear in the network's output, and so in each frame's weight."""

    def latents(low, high):
        return pipe(picture, RIGHT, seed=0, steps=1, min_guidance=low, max_guidance=high, output_type="latent")[0]

    once = latents(1, 1)
    pull = latents(2, 2) - once
    for n, weight in enumerate((1, 5 / 3, 7 / 3, 3)):
        assert torch.allclose(latents(1, 3)[n] - once[n], (weight - 1) * pull[n], atol=1e-2 * pull.abs().max())


def test_the_callback_sees_and_may_replace_the_latents(pipe, picture):
    seen = []

    def watch(pipeline, step, timestep, tensors):
        seen.append((pipeline is pipe, step, tensors["latents"].shape))
        return {"latents": torch.zeros_like(tensors["latents"])} if step == 2 else {}

    z = pipe(picture, RIGHT, seed=0, steps=3, callback_on_step_end=watch, output_type="latent")
    assert seen == [(True, n, (1, 4, 4, 8, 8)) for n in range(3)]
    assert not z.any()


def test_every_picture_keeps_its_shape(pipe):
    rng = np.random.default_rng(0)
    wide = Image.fromarray(rng.integers(0, 256, (40, 64, 3), dtype=np.uint8))
    padded = Image.new("RGB", (64, 64), "white")
    padded.paste(wide, (0, 12))
    drags = Drags.from_pixels([[[10, 10], [50, 30]]], (64, 40))
    on_padded = Drags.from_pixels([[[10, 22], [50, 42]]], (64, 64))
    video, square = pipe(wide, drags, seed=0), pipe(padded, on_padded, seed=0)
    assert video.frames.shape == (4, 40, 64, 3) and np.allclose(video.drags.points[0, -1], [50 / 64, 30 / 40])
    assert np.array_equal(video.frames, square.frames[:, 12:52])
    tall = pipe(Image.new("RGBA", (30, 300)), DOWN, seed=0)
    assert tall.frames.shape == (4, 64, 6, 3)


def test_anchored_decoding_returns_the_picture_as_frame_1(picture):
    pipe = smoke(anchor=0.25, residual=True)
    assert np.array_equal(pipe(picture, RIGHT, seed=0).frames[0], picture)
    z = pipe(picture, RIGHT, seed=0, output_type="latent")
    with torch.no_grad():
        plain = decode(pipe.vae, z)[0, 0]
    assert not np.allclose(plain, np.asarray(picture).transpose(2, 0, 1) / 127.5 - 1, atol=0.05)


def test_residual_latents_start_from_the_picture(picture, monkeypatch):
    pipe = smoke(residual=True, latent_scale=2.0)
    monkeypatch.setattr("puppetmaster_core.pipeline.sample", lambda unet, scheduler, noise, *_: torch.zeros_like(noise))
    z = pipe(picture, RIGHT, output_type="latent")
    assert torch.equal(z, z[:, :1].expand_as(z)) and z.abs().sum() > 0


def test_the_same_seed_builds_the_same_weights_and_disturbs_nobody():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    one, two, other = build(SMOKE, seed=1), build(SMOKE, seed=1), build(SMOKE, seed=2)
    assert torch.equal(torch.get_rng_state(), before)
    weights = [made.unet.conv_in.weight for made in (one, two, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    reused = build(SMOKE, seed=1, vae=other.vae)
    assert reused.vae is other.vae and torch.equal(reused.unet.conv_in.weight, weights[0])


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"drags": "door.json"}, DragError, "a str as drags"),
        ({"drags": Drags(np.full((6, 2, 2), 0.5))}, DragError, "6 drags, this checkpoint encodes at most 5"),
        ({"seed": 0, "generator": torch.Generator()}, ValueError, "expected one of them"),
        ({"drags": [RIGHT, DOWN], "seed": [1, 2, 3]}, ValueError, "2 sets of drags and 3 seeds"),
        ({"drags": []}, ValueError, "0 sets"),
        ({"output_type": "gif"}, ValueError, "'gif'"),
        ({"image": "nothing.png"}, PictureError, "no such file"),
    ],
)
def test_a_call_that_makes_no_sense_is_refused_before_any_work(pipe, picture, arguments, error, message):
    def refuse():
        with pytest.raises(error, match=message):
            pipe(**{"image": picture, "drags": RIGHT} | arguments)

    assert not calls_of(pipe.unet, refuse)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"size": 60}, "multiple of 8"),
        ({"unet": UNetSpatioTemporalConditionModel}, "expected a DragUNet"),
        ({"image_encoder": {"projection_dim": 16}}, "width 16, expected 32"),
        ({"unet": {"in_channels": 10}}, "expected 8"),
    ],
)
def test_modules_that_do_not_fit_each_other_are_refused(pipe, wrong, message):
    if wrong.get("unet") is UNetSpatioTemporalConditionModel:
        wrong = {"unet": torch.nn.Identity()}
    elif "unet" in wrong:
        wrong = {"unet": DragUNet(**SMOKE.unet | wrong["unet"])}
    elif "image_encoder" in wrong:
        config = CLIPVisionConfig(**SMOKE.image_encoder | wrong["image_encoder"])
        wrong = {"image_encoder": CLIPVisionModelWithProjection(config)}
    with pytest.raises(ModelError, match=message):
        build(SMOKE, **{"vae": pipe.vae, "unet": pipe.unet, "image_encoder": pipe.image_encoder} | wrong)


# ---- files -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(pipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "smoke"
    pipe.save_pretrained(folder, max_shard_size="1MB")
    return folder


@pytest.fixture
def copy(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "smoke")


def test_a_saved_model_in_parts_is_the_same_model(pipe, saved, picture):
    parts = list(saved.glob("*/*.safetensors"))
    assert len(parts) > 6 and max(part.stat().st_size for part in parts) < 1.1e6
    loaded = quiet(PuppetMasterPipeline.from_pretrained(saved))
    assert {k: v for k, v in loaded.config.items() if k[0] != "_"} == {k: v for k, v in pipe.config.items() if k[0] != "_"}
    assert type(loaded.unet) is DragUNet and not loaded.unet.training
    assert same(loaded(picture, DOWN, seed=0), pipe(picture, DOWN, seed=0))


def test_saving_again_replaces_the_model_and_keeps_its_card(saved, copy):
    (copy / "README.md").write_text("the card")
    loaded = PuppetMasterPipeline.from_pretrained(copy)
    loaded.register_to_config(latent_scale=3.0)
    loaded.save_pretrained(copy)
    assert (copy / "README.md").read_text() == "the card"
    assert [path.name for path in copy.parent.iterdir()] == ["smoke"]
    assert not list(copy.glob("*/*-of-*")), "parts of the old model stayed"
    again = PuppetMasterPipeline.from_pretrained(copy)
    assert again.latent_space.scale == 3.0
    assert not [path for path in copy.rglob("*.json") if "_name_or_path" in path.read_text()], "a path of this machine"


def test_a_folder_of_something_else_is_not_replaced(pipe, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(ModelError, match="something else"):
        pipe.save_pretrained(tmp_path / "thesis")
    with pytest.raises(ModelError, match="safetensors only"):
        pipe.save_pretrained(tmp_path / "new", safe_serialization=False)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["chapter.txt", "thesis"]


def parts(folder):
    return sorted(folder.glob("unet/*.safetensors*"))


def set_unet(folder, *unet):
    path = folder / "model_index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"unet": unet}))


@pytest.mark.parametrize(("damage", "message"), [
    (lambda folder: parts(folder)[0].write_bytes(parts(folder)[0].read_bytes()[:-100]), "cannot be loaded"),
    (lambda folder: [path.rename(path.with_suffix(".bin")) for path in parts(folder)],
     r"no file named .*\.safetensors.* in safetensors: get it again"),
    (lambda folder: parts(folder)[0].unlink(), "cannot be loaded"),
    (lambda folder: rewrite(folder / "image_encoder" / "model.safetensors", lambda t: t.pop("visual_projection.weight")),
     "got no visual_projection.weight"),
    (lambda folder: shutil.rmtree(folder / "scheduler"), "scheduler"),
    (lambda folder: set_unet(folder, "diffusers", "UNetSpatioTemporalConditionModel"), "a DragUNet"),
    (lambda folder: set_unet(folder, "os", "system"), "got a system, expected one of"),
], ids=["cut off", "no safetensors", "a part missing", "a tensor missing", "no component", "another class", "code of its own"])
def test_a_damaged_model_is_one_clear_error(copy, damage, message):
    damage(copy)
    with pytest.raises(ModelError, match=message) as caught:
        PuppetMasterPipeline.from_pretrained(copy)
    assert "\n" not in str(caught.value)


def test_pickles_cannot_be_asked_for(saved):
    with pytest.raises(ModelError, match="can run code"):
        PuppetMasterPipeline.from_pretrained(saved, use_safetensors=False)
