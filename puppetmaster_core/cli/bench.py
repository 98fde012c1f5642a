"""Measure what a saving saves: the ways side by side in one run, with their floating-point operations, weights random.

`paper` is the paper's size. On a CPU it is counted only, without weights; on a GPU it is timed too, in bfloat16.

examples:
  puppetmaster bench --scale tiny --compile
  puppetmaster bench --scale paper --device cuda --compile
"""

from __future__ import annotations

import argparse
from dataclasses import asdict

from puppetmaster_core.cli.arguments import BadInput, whole
from puppetmaster_core.presets import PRESETS, SVD

HELP = "time and count the network's savings"
SCALES = PRESETS | {"paper": SVD}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--scale", choices=list(SCALES), default="tiny", help="the network's size (default: tiny)")
    add("--repeats", type=whole(1, 1000), default=9, help="repetitions, of which the median counts (default: 9)")
    add("--device", choices=("cpu", "cuda"), help="where to run (default: a GPU where there is one)")
    add("--compile", action="store_true", help="time the compiled network as well; compiling takes minutes")


def run(arguments: argparse.Namespace) -> tuple[dict, str]:
    import torch

    from puppetmaster_core.bench import bench_table, count_step, guided_step
    from puppetmaster_core.model import DragUNet
    from puppetmaster_core.model.released import RELEASED
    from puppetmaster_core.model.svd import explain_sizes

    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise BadInput("got --device cuda, but PyTorch finds no GPU here: leave it out, or install PyTorch for your GPU")
    device, scale = arguments.device or ("cuda" if torch.cuda.is_available() else "cpu"), arguments.scale
    report = {"scale": scale, "device": device, "threads": torch.get_num_threads(), "torch": torch.__version__}
    lines = [f"scale {scale}, {device}, {torch.get_num_threads()} threads, PyTorch {torch.__version__}"]
    if scale == "paper":
        report["parameters"] = explain_sizes(DragUNet, RELEASED)
        lines += ["", "parameters", *(f"  {name:70}{count:>16,}" for name, count in report["parameters"])]
        for settings, released in (("paper's settings", False), ("released settings", True)):
            counts = report[f"operations, {settings}"] = count_step(SVD, released)
            lines += ["", f"one guided step, {settings}: TFLOP, and as a share"]
            lines += [f"  {way:70}{n / 1e12:10.3f}{n / counts['as released']:6.2f}" for way, n in counts.items()]
    if scale != "paper" or device == "cuda":
        dtype = torch.bfloat16 if device == "cuda" else torch.float32
        rows = guided_step(SCALES[scale], arguments.repeats, device, dtype, arguments.compile)
        report |= {"precision": str(dtype), "guided step": [asdict(row) for row in rows]}
        lines += ["", f"one guided step, {dtype}", bench_table(rows)]
    return report, "\n".join(lines)
