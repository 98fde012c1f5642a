"""Measure what a saving saves: the ways side by side in one run, with their floating-point operations, weights random.

`paper` is the paper's size. On a CPU it is counted only, without weights; on a GPU it is timed too, in bfloat16.

examples:
  puppetmaster bench --scale tiny --compile
  puppetmaster bench --scale paper --device cuda --steps 50 --compile
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
    add("--steps", type=whole(1, 1000), default=5, help="steps of the guided video (default: 5)")
    add("--device", choices=("cpu", "cuda"), help="where to run (default: a GPU where there is one)")
    add("--compile", action="store_true", help="time the compiled network as well; compiling takes minutes")


def run(arguments: argparse.Namespace) -> tuple[dict, str]:
    import torch

    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise BadInput("got --device cuda, but PyTorch finds no GPU here: leave it out, or install PyTorch for your GPU")
    device = arguments.device or ("cuda" if torch.cuda.is_available() else "cpu")
    report = {"scale": arguments.scale, "device": device, "threads": torch.get_num_threads(), "torch": torch.__version__}
    if arguments.scale == "paper":
        report |= _counts()
    if arguments.scale != "paper" or device == "cuda":
        report |= _times(arguments, device)
    return report, as_text(report)


def _counts() -> dict:
    from puppetmaster_core.bench import count_step
    from puppetmaster_core.model import DragUNet
    from puppetmaster_core.model.released import RELEASED
    from puppetmaster_core.model.svd import explain_sizes

    return {"parameters": explain_sizes(DragUNet, RELEASED), "operations, paper's settings": count_step(SVD),
            "operations, released settings": count_step(SVD, released=True)}


def _times(arguments: argparse.Namespace, device: str) -> dict:
    import torch

    from puppetmaster_core.bench import guided_step, guided_video

    preset, dtype = SCALES[arguments.scale], torch.bfloat16 if device == "cuda" else torch.float32
    rows = guided_step(preset, arguments.repeats, device, dtype)
    backend = "inductor" if arguments.compile else None
    video, why_not = guided_video(preset, arguments.steps, arguments.repeats, device, dtype, backend)
    times = {"precision": str(dtype), "guided step": [asdict(row) for row in rows], "steps": arguments.steps,
             "guided video": [asdict(row) for row in video]}
    return times | ({"not compiled": why_not} if why_not else {})


def as_text(report: dict) -> str:
    """What --json prints, for people."""
    from puppetmaster_core.bench import Row, table

    lines = [f"scale {report['scale']}, {report['device']}, {report['threads']} threads, PyTorch {report['torch']}"]
    if "parameters" in report:
        lines += ["", "parameters", *(f"  {name:70}{count:>16,}" for name, count in report["parameters"])]
    for name in (name for name in report if name.startswith("operations")):
        first = next(iter(report[name].values()))
        lines += ["", f"one guided step, {name.removeprefix('operations, ')}: TFLOP, and as a share"]
        lines += [f"  {way:70}{count / 1e12:10.3f}{count / first:6.2f}" for way, count in report[name].items()]
    video = f"the network in {report.get('steps')} guided steps"
    for name, title in (("guided step", "one guided step"), ("guided video", video)):
        if name in report:
            lines += ["", f"{title}, {report['precision'].removeprefix('torch.')}", table([Row(**row) for row in report[name]])]
    if "not compiled" in report:
        lines += ["", f"not compiled: {report['not compiled']}"]
    return "\n".join(lines)
