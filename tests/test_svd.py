"""SVD's weights as a start: read from a miniature folder that is laid out as the published one, which a test writes."""

import json
import shutil

import pytest
import torch
from diffusers import AutoencoderKLTemporalDecoder, EulerDiscreteScheduler, UNetSpatioTemporalConditionModel
from networks import SMALL as LEVELS
from networks import SMALL_DRAGS as SMALL
from networks import SMALL_TIMES, inputs, rewrite
from oracle import quiet
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from puppetmaster_core import Drags, PuppetMasterPipeline
from puppetmaster_core.checkpoints import ModelError, find_model
from puppetmaster_core.model import DragUNet
from puppetmaster_core.model.released import RELEASED
from puppetmaster_core.model.svd import align_weights
from puppetmaster_core.sampling import SVD

UNET = LEVELS | SMALL_TIMES | {"num_attention_heads": (1, 2), "num_frames": 14}
CLIP = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 1, "image_size": 32,
    "patch_size": 16, "projection_dim": 16,
}  # fmt: skip
INDEX = {
    "_class_name": "StableVideoDiffusionPipeline", "_diffusers_version": "0.24.0.dev0",
    "feature_extractor": ["transformers", "CLIPImageProcessor"],
    "image_encoder": ["transformers", "CLIPVisionModelWithProjection"],
    "scheduler": ["diffusers", "EulerDiscreteScheduler"],
    "unet": ["diffusers", "UNetSpatioTemporalConditionModel"],
    "vae": ["diffusers", "AutoencoderKLTemporalDecoder"],
}  # fmt: skip


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """As on the hub: full and half precision side by side, a feature extractor, a single-file copy that nobody reads."""
    folder = tmp_path_factory.mktemp("svd")
    torch.manual_seed(0)
    vae = AutoencoderKLTemporalDecoder(block_out_channels=(32, 32), down_block_types=("DownEncoderBlock2D",) * 2)
    modules = {"unet": UNetSpatioTemporalConditionModel(**UNET), "vae": vae,
               "image_encoder": CLIPVisionModelWithProjection(CLIPVisionConfig(**CLIP))}
    for name, module in modules.items():
        module.save_pretrained(folder / name)
        module.half().save_pretrained(folder / name, variant="fp16")
    EulerDiscreteScheduler(sigma_min=0.002, sigma_max=700.0, prediction_type="v_prediction", **SVD).save_pretrained(
        folder / "scheduler")
    (folder / "feature_extractor").mkdir()
    (folder / "feature_extractor" / "preprocessor_config.json").write_text('{"feature_extractor_type": "CLIPImageProcessor"}')
    (folder / "svd.safetensors").write_bytes(b"not read")
    (folder / "model_index.json").write_text(json.dumps(INDEX))
    return folder


@pytest.fixture
def folder(published, tmp_path):
    return shutil.copytree(published, tmp_path / "svd")


# --- The network ---------------------------------------------------------------------------------------------------
def test_svds_weights_are_taken_over_and_drag_layers_added(published, caplog):
    theirs = load_file(published / "unet" / "diffusion_pytorch_model.safetensors")
    with caplog.at_level("INFO"):
        net = DragUNet.from_svd(published, **SMALL)
    state = net.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in theirs.items())
    new = {name: tensor for name, tensor in state.items() if name not in theirs}
    assert new and all(".modulation." in name or ".tokens." in name for name in new)
    assert not any(tensor.any() for name, tensor in new.items() if "modulation.conv_out" in name), "these start at zero"
    assert all(tensor.isfinite().all() and tensor.device.type == "cpu" for tensor in state.values())
    added = net.additions
    assert added.svd == sum(tensor.numel() for tensor in theirs.values()) and added.left_out == 0
    assert added.modulation + added.tokens == sum(tensor.numel() for tensor in new.values())
    assert added.total == sum(p.numel() for p in net.parameters())
    assert str(added) in caplog.text and f"{added.modulation:,} of drag modulation added" in str(added)
    assert not net.training
    again = DragUNet.from_svd(published / "unet", **SMALL).state_dict()  # its own folder does, and a seed is a network
    assert all(torch.equal(again[name], tensor) for name, tensor in state.items())
    other = DragUNet.from_svd(published, seed=1, **SMALL).state_dict()
    assert any(not torch.equal(other[name], tensor) for name, tensor in new.items())


@torch.no_grad()
def test_without_drags_and_with_ordinary_attention_it_is_svd(published):
    net = DragUNet.from_svd(published, attention="spatial", **SMALL)
    svd = align_weights(UNetSpatioTemporalConditionModel.from_pretrained(published, subfolder="unet"))  # as ours are
    sample, *rest = inputs(1, 3, 8, 8)
    sample = torch.cat([sample, sample[:, :, :2]], dim=2)
    assert torch.equal(net(sample, *rest).sample, svd(sample, *rest).sample)


def test_half_precision_and_its_files(published, folder):
    half = DragUNet.from_svd(published, variant="fp16", torch_dtype=torch.bfloat16, **SMALL)
    assert {p.dtype for p in half.parameters()} == {torch.bfloat16}
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    assert DragUNet.from_svd(folder, variant="fp16", **SMALL).dtype == torch.float32
    with pytest.raises(ValueError, match="expected Stable Video Diffusion's U-Net in safetensors: check the path and"):
        DragUNet.from_svd(folder, **SMALL)


# --- The pipeline --------------------------------------------------------------------------------------------------
def load(source, **options):
    return quiet(PuppetMasterPipeline.from_pretrained(source, **{"size": 32, "frames": 3, "steps": 2} | options))


def test_a_pipeline_from_svds_folder(published, tmp_path):
    pipe = load(published)
    assert type(pipe.unet) is DragUNet and type(pipe.vae) is AutoencoderKLTemporalDecoder
    assert pipe.config.latent_scale == 0.18215 and pipe.config.null_picture and not pipe.config.residual
    assert (pipe.config.max_guidance, pipe.config.fps) == (5.0, 7.0)
    assert PuppetMasterPipeline.from_pretrained(published, frames=3).config.size == 256, "as in the paper"
    picture, drags = Image.new("RGB", (32, 32), "red"), Drags([[[0.3, 0.4], [0.8, 0.4]]])
    video = pipe(picture, drags, seed=0)
    assert video.frames.shape == (3, 32, 32, 3)
    pipe.save_pretrained(tmp_path / "ours")  # and from then on it is a model like any other
    again = quiet(PuppetMasterPipeline.from_pretrained(tmp_path / "ours"))
    assert (again(picture, drags, seed=0).frames == video.frames).all()


def test_the_fp16_variant_and_modules_of_ones_own(published, folder):
    for path in folder.glob("*/*.safetensors"):
        if "fp16" not in path.name:
            path.unlink()
    pipe = load(folder)  # in half precision only, so the variant need not be named
    assert {pipe.unet.dtype, pipe.vae.dtype, pipe.image_encoder.dtype} == {torch.float32}
    pipe = load(published, variant="fp16", dtype=torch.bfloat16)
    assert {pipe.unet.dtype, pipe.vae.dtype, pipe.image_encoder.dtype} == {torch.bfloat16}
    own = DragUNet.from_svd(published, attention="spatial", **SMALL)
    assert load(published, unet=own).unet is own


def test_svd_is_a_name_on_the_hub(published, monkeypatch):
    assert find_model("svd") == "stabilityai/stable-video-diffusion-img2vid"
    asked = []
    monkeypatch.setattr(PuppetMasterPipeline, "download", lambda name, **options: asked.append((name, options)) or published)
    assert load("svd", variant="fp16").config.size == 32
    assert asked[0][0] == find_model("svd") and asked[0][1]["variant"] == "fp16" and asked[0][1]["use_safetensors"] is True


def test_the_authors_checkpoint_on_svds_other_modules(folder, tmp_path):
    torch.manual_seed(0)
    net = DragUNet(**RELEASED | UNET | SMALL)
    save_file(net.to_released(), tmp_path / "released.safetensors")
    shutil.rmtree(folder / "unet")  # not needed
    pipe = load(folder, unet=tmp_path / "released.safetensors", unet_config=UNET | SMALL)
    assert pipe.unet.config.drag_encoding == "released"
    assert pipe.config.null_picture is False, "the authors' null"
    assert torch.equal(pipe.unet.conv_in.weight, net.conv_in.weight)


# --- What is refused -----------------------------------------------------------------------------------------------
WEIGHTS = "unet/diffusion_pytorch_model.safetensors"
DAMAGES = {
    "missing": (lambda f: rewrite(f / WEIGHTS, lambda t: t.pop("conv_in.bias")), "no tensor conv_in.bias"),
    "not finite": (lambda f: rewrite(f / WEIGHTS, lambda t: t["conv_in.bias"].fill_(torch.nan)), "not finite in conv_in.bias"),
    "another network": (lambda f: (f / "unet/config.json").write_text('{"_class_name": "UNet2DModel"}'), "a UNet2DModel"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_folder_is_one_clear_error(folder, damage):
    change, message = DAMAGES[damage]
    change(folder)
    with pytest.raises(ValueError, match=message) as caught:
        DragUNet.from_svd(folder, **SMALL)
    assert "expected Stable Video Diffusion's U-Net in safetensors" in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(ModelError) as caught:
        load(folder)
    assert "\n" not in str(caught.value)


def test_what_the_folder_settles_cannot_be_set(published):
    with pytest.raises(ValueError, match=r"block_out_channels=\(64, 64\), SVD's network has .*: leave it out"):
        DragUNet.from_svd(published, block_out_channels=(64, 64))
    assert DragUNet.from_svd(published, num_frames=3, **SMALL).config.num_frames == 3
