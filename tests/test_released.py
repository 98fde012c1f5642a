"""The authors' checkpoint: the same numbers as their code, the same names both ways, and no trust in a file."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import parity
import pytest
import torch
from networks import SMALL as LEVELS
from networks import SMALL_DRAGS
from safetensors.torch import load_file, save_file

from puppetmaster_core.model import DragUNet
from puppetmaster_core.model.released import RELEASED, released_config
from puppetmaster_core.model.svd import explain_sizes

FIXTURES = Path(__file__).resolve().parents[2] / "shared" / "parity"
SMALL = LEVELS | SMALL_DRAGS
needs_fixtures = pytest.mark.skipif(not FIXTURES.is_dir(), reason="the parity fixtures are not beside this checkout")
def released() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return DragUNet(**RELEASED | SMALL).to_released()


# --- The numbers ---------------------------------------------------------------------------------------------------
# The released network computes its sin-cos tables in float32, where MKL rounds differently from one kind of CPU to
# another: 4e-8 in the output. MKL_CBWR asks for the same rounding everywhere, and is read once, when a process starts.
@pytest.fixture(scope="module")
def errors_float64():
    environment = os.environ | {"MKL_CBWR": "COMPATIBLE"}
    command = [sys.executable, parity.__file__, str(FIXTURES), "float64"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@needs_fixtures
@pytest.mark.slow
@pytest.mark.skipif(not torch.backends.mkl.is_available(), reason="the fixtures' float32 tables are MKL's")
@pytest.mark.parametrize("what", [*parity.CASES, "output", "loss", "gradient", "gradients"])
def test_equal_to_the_released_network_in_float64(errors_float64, what):
    assert errors_float64[what] <= 1e-10


@needs_fixtures
@pytest.mark.parametrize("attention", ["all_to_first", "spatial"])
def test_equal_to_the_released_network_in_float32(attention):
    errors = parity.output_errors(FIXTURES, torch.float32, attention)
    assert max(errors.values()) <= 1e-4, errors


# --- The names -----------------------------------------------------------------------------------------------------
@needs_fixtures
def test_every_released_tensor_goes_in_and_comes_out():
    tensors = load_file(FIXTURES / "state_dict.safetensors")
    back = parity.network(FIXTURES, torch.float32).to_released()
    assert back.keys() == tensors.keys()
    assert all(torch.equal(back[name], tensor) for name, tensor in tensors.items())


def test_names_and_a_file_and_back(tmp_path):
    tensors = released()
    new = {name for name in tensors if "flow_convs" in name or "drag_token_mlps" in name}
    layers = r"(flow_convs\.\d\.(conv_in|blocks\.[01]|conv_out)|drag_token_mlps\.\d\.[02])\.(weight|bias)"
    assert new and all(re.fullmatch(r"(down|up)_blocks\.[01]\." + layers, name) for name in new)
    assert not any("add_embedding" in name or "modulation" in name for name in tensors)
    save_file(tensors, tmp_path / "released.safetensors")
    net = DragUNet.from_released(tmp_path / "released.safetensors", **SMALL)
    assert net.config.token_mask is False and net.config.drag_encoding == "released"
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in net.to_released().items())
    net(torch.randn(1, 3, 8, 8, 8), 0.5, torch.randn(1, 1, 16), torch.rand(1, 3))


def test_only_the_authors_settings_have_their_names():
    for settings in ({"token_positions": ("u", "vn", "vN")}, {"time_ids": True}, {"drag_encoding": "paper"}):
        with pytest.raises(ValueError, match=f"{next(iter(settings))}=.*, the authors' network has"):
            DragUNet(**RELEASED | SMALL | settings).to_released()


def test_arguments_of_the_authors_code():
    theirs = {"num_drags": 5, "pos_embed_dim": 16, "cond_dropout_prob": 0.1, "use_modulate": False,
              "drag_embedder_out_channels": [16, 24], "drag_token_cross_attn": True}  # fmt: skip
    assert released_config(theirs) == {
        "max_drags": 5, "token_position_channels": 16, "modulation_channels": (16, 24), "drag_tokens": True,
        "modulation": "none",
    }  # fmt: skip


# --- The size ------------------------------------------------------------------------------------------------------
def test_counts_at_svds_size():
    """From SVD's network to the released one, and on to the paper's: drags in the middle too, tokens that read v^N."""
    with torch.device("meta"):
        theirs, ours = DragUNet(**RELEASED), DragUNet()
    svd, modulation, tokens, times, middle, final = 1_524_623_082, 113_147_840, 40_663_040, 2_624_000, 15_795_648, 12_451_840
    assert len(theirs.state_dict()) == 1_664
    assert [number for _, number in explain_sizes(DragUNet, RELEASED)] == [
        svd, modulation, tokens, -times, 1_675_809_962, times, middle, final, 1_706_681_450]
    assert svd + modulation + tokens - times == 1_675_809_962 and 1_675_809_962 + times + middle + final == 1_706_681_450
    of_tokens = {name: p.numel() for name, p in ours.named_parameters() if ".tokens." in name}
    assert sum(n for name, n in of_tokens.items() if not name.startswith("mid_block")) == tokens + final


# --- Files that are not what they should be ------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("up_blocks.1.flow_convs.0.conv_out.weight"), "no tensor 'up_blocks.1.flow_convs.0.conv_out.weight'"),
        (lambda t: t.update({"conv_in.bias": torch.zeros(3)}), r"'conv_in.bias' of shape \(3,\), expected \(32,\)"),
        (lambda t: t.update(stray=torch.zeros(1)), "tensor 'stray', which this network does not have"),
        (lambda t: t.update({"conv_in.bias": torch.full((32,), torch.nan)}), "'conv_in.bias' holds other than finite"),
        (lambda t: t.update({"conv_in.bias": torch.zeros(32, dtype=torch.int64)}), "'conv_in.bias' holds other than finite"),
    ],
)
def test_wrong_tensors_are_named(change, message):
    tensors = released()
    change(tensors)
    with pytest.raises(ValueError, match=message):
        DragUNet.from_released(tensors, **SMALL)


def test_a_cut_off_file_is_refused(tmp_path):
    path = tmp_path / "cut.safetensors"
    save_file(released(), path)
    whole = path.read_bytes()
    for size in (len(whole) * 2 // 3, 100):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"cut.safetensors: damaged, cut off or no \.safetensors file"):
            DragUNet.from_released(path, **SMALL)


@pytest.mark.parametrize(
    "change",
    [{"shape": [31]}, {"dtype": "F16"}, {"dtype": "X9"}, {"dtype": ["F32"]}, {"data_offsets": [0, 128]}, {"data_offsets": [0]},
     {"data_offsets": [0, 10**12]}, {"shape": None}, None],
    ids=str,
)  # fmt: skip
def test_a_damaged_header_is_refused(tmp_path, change):
    path = tmp_path / "damaged.safetensors"
    save_file({"a": torch.zeros(32), "b": torch.zeros(32), "c": torch.zeros(2)}, path)
    whole = path.read_bytes()
    end = 8 + int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8:end])
    header["b"] = header["b"] | (change or {})
    if change is None:  # without b, c is not where it should be
        del header["b"]
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + whole[end:])
    with pytest.raises(ValueError, match=r"damaged.safetensors: damaged, cut off or no"):
        DragUNet.from_released(path, **SMALL)


def test_a_pickle_is_not_opened(tmp_path):
    path = tmp_path / "weights.safetensors"
    torch.save(released(), path)
    with pytest.raises(ValueError, match=r"damaged, cut off or no \.safetensors file .*, expected the whole"):
        DragUNet.from_released(path, **SMALL)
    with pytest.raises(ValueError, match="no such file"):
        DragUNet.from_released(tmp_path / "none.safetensors", **SMALL)
