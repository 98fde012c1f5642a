"""Weights in several precisions side by side: each module is read in what there is of it, and the right file is blamed."""

import shutil

import pytest
import torch

from puppetmaster_core.checkpoints import variant_of
from puppetmaster_core.pipeline import PuppetMasterPipeline, build
from puppetmaster_core.presets import SMOKE

MODULES = ("vae", "image_encoder", "unet")


@pytest.fixture
def mixed(smoke_folder, tmp_path):
    """As `smoke`, but for its VAE in fp16 and its image encoder in bf16 only."""
    folder = shutil.copytree(smoke_folder, tmp_path / "mixed")
    pipe = build(SMOKE, seed=0)
    for name, dtype, variant in (("vae", torch.float16, "fp16"), ("image_encoder", torch.bfloat16, "bf16")):
        for path in (folder / name).glob("*.safetensors"):
            path.unlink()
        getattr(pipe, name).to(dtype).save_pretrained(folder / name, variant=variant)
    return folder


def test_each_module_is_read_in_the_precision_it_is_there(mixed):
    assert [variant_of(mixed / name) for name in MODULES] == ["fp16", "bf16", None]
    loaded, whole = PuppetMasterPipeline.from_pretrained(mixed), build(SMOKE, seed=0)
    for name, digits in (("vae", 2**-10), ("image_encoder", 2**-7), ("unet", 0)):
        states = getattr(loaded, name).state_dict(), getattr(whole, name).state_dict()
        for key, wanted in states[1].items():
            assert states[0][key].dtype == wanted.dtype == torch.float32 or not wanted.is_floating_point()
            assert (states[0][key] - wanted).abs().max() <= digits * wanted.abs().max()
    kept = PuppetMasterPipeline.from_pretrained(mixed, dtype=torch.float16)
    assert kept.unet.dtype == kept.image_encoder.dtype == torch.float16


def test_a_variant_asked_for_is_taken_where_it_is(smoke_folder, tmp_path):
    folder = shutil.copytree(smoke_folder, tmp_path / "both")
    vae = build(SMOKE, seed=1).vae.half()  # other weights, so that one sees which were read
    vae.save_pretrained(folder / "vae", variant="fp16")
    asked, unasked = (PuppetMasterPipeline.from_pretrained(folder, **options) for options in ({"variant": "fp16"}, {}))
    name = next(iter(vae.state_dict()))
    assert torch.equal(asked.vae.state_dict()[name], vae.state_dict()[name].float())
    assert torch.equal(unasked.vae.state_dict()[name], build(SMOKE, seed=0).vae.state_dict()[name])


@pytest.mark.parametrize("name, variant", [
    ("a.safetensors", None), ("a-00001-of-00002.safetensors", None), ("a.fp16.safetensors", "fp16"),
    ("a.fp16-00001-of-00002.safetensors", "fp16"), ("a-00001-of-00002.bf16.safetensors", "bf16"),
])
def test_the_variant_of_a_file(tmp_path, name, variant):
    (tmp_path / name).touch()
    assert variant_of(tmp_path) == variant
