"""Runs the released network on the parity fixtures and prints how far it is off, as JSON. A test runs it on its own.

python parity.py FOLDER float32|float64 [attention]
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from puppetmaster_core.diffusion import precondition
from puppetmaster_core.encoding import split_released
from puppetmaster_core.model import DragUNet
from puppetmaster_core.model.released import released_config, released_name

CASES = ("a_five_drags_b1", "b_fewer_drags_b2", "c_cfg_pair", "f_edge_coordinates")


def network(folder: Path, dtype: torch.dtype, **settings) -> DragUNet:
    arguments = json.loads((folder / "config.json").read_text())["config"]
    net = DragUNet.from_released(folder / "state_dict.safetensors", **released_config(arguments), **settings)
    return nn.Module.to(net, dtype)


# Arguments of the network from those of the released one: image latents in every frame, drags as points.
def arguments(case: dict, dtype: torch.dtype, net: DragUNet):
    case = {name.removeprefix("in."): tensor.to(dtype) for name, tensor in case.items() if name.startswith("in.")}
    frames, size = case["sample"].shape[1], case["sample"].shape[-2:]
    image = case["image_latents"][:, None].expand(-1, frames, -1, -1, -1)
    conditioning = net.condition(*split_released(case["drags"]), tuple(size))
    sample = torch.cat([case["sample"], image], dim=2)
    return sample, case["timestep"], case["encoder_hidden_states"], case["added_time_ids"], conditioning


# Largest error of every case's output.
@torch.no_grad()
def output_errors(folder: Path, dtype: torch.dtype, attention: str) -> dict[str, float]:
    net, errors = network(folder, dtype, attention=attention), {}
    name = f"out.{dtype}".replace("torch.", "") if attention == "all_to_first" else "out.standard_spatial_attention.float32"
    for case_name in CASES:
        case = load_file(folder / f"case_{case_name}.safetensors")
        errors[case_name] = (net(*arguments(case, dtype, net)).sample - case[name]).abs().max().item()
    return errors


# One step of training without dropout: the output's largest error, the loss and every gradient norm's relative error.
def training_errors(folder: Path, dtype: torch.dtype) -> dict[str, float]:
    step = load_file(folder / "train_step.safetensors")
    known = json.loads((folder / "config.json").read_text())["train_step"]
    net = network(folder, dtype)
    sigma, c_noise = step["in.log_sigma"].exp().to(dtype), 0.25 * step["in.log_sigma"]
    latents, noise = step["in.latents"].to(dtype), step["in.noise"].to(dtype)
    noisy = latents + sigma * noise
    case = step | {"in.sample": noisy, "in.image_latents": step["in.cond_latent"], "in.timestep": c_noise}
    out = net(*arguments(case, dtype, net)).sample
    c_skip, c_out, _, _ = precondition(sigma)
    loss = ((1 + sigma**-2) * (latents - (c_skip * noisy + c_out * out)) ** 2).mean()
    loss.backward()
    norms = {name: step[f"norm.grad.float64.{released_name(name)}"].item() for name, _ in net.named_parameters()}
    worst = max(
        (abs(parameter.grad.norm().item() - norms[name]) / max(norms[name], 1e-6), name)
        for name, parameter in net.named_parameters()
    )
    return {
        "output": (out - step["out.model.float64"]).abs().max().item(),
        "loss": abs(loss.item() - known["loss_float64"]),
        "gradient": worst[0],
        "gradients": sum(name.startswith("norm.grad.") for name in step) - len(norms),
    }


if __name__ == "__main__":
    folder, dtype = Path(sys.argv[1]), getattr(torch, sys.argv[2])
    attention = sys.argv[3] if len(sys.argv) > 3 else "all_to_first"
    errors = output_errors(folder, dtype, attention)
    print(json.dumps(errors if attention != "all_to_first" else errors | training_errors(folder, dtype)))
