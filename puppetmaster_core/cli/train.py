"""Train a scale from nothing: render its clips, train the VAE, sharpen its decoder, train the denoiser, save the pipeline.

Everything goes into the run folder; a run that was stopped, or killed, goes on where it was when started again.

example:
  puppetmaster train --scale tiny --output runs/tiny
  tensorboard --logdir runs/tiny
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from puppetmaster_core.cli.arguments import BadInput, number, whole
from puppetmaster_core.files import try_writing
from puppetmaster_core.presets import PRESETS

HELP = "train a model from nothing"
TRAINABLE = sorted(name for name, preset in PRESETS.items() if preset.training)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scale", choices=TRAINABLE, default="tiny", help="what to train (default: tiny)")
    parser.add_argument("--output", type=Path, required=True, metavar="RUN", help="the run folder")
    parser.add_argument("--stage", choices=("all", "vae", "decoder", "denoiser"), default="all", help="a part (default: all)")
    parser.add_argument("--steps", type=whole(1, 10**8), help="steps of each stage (default: the scale's)")
    parser.add_argument("--batch-size", type=whole(1, 4096), help="clips a step (default: the scale's)")
    parser.add_argument("--clips", type=whole(1, 900_000), help="clips to render and train on (default: the scale's)")
    parser.add_argument("--learning-rate", type=number(1e-8, 1), help="(default: the scale's)")
    parser.add_argument("--seed", type=whole(0, 2**31 - 1), help="another seed, another model (default: 0)")
    parser.add_argument("--max-seconds", type=number(1, 1e7), help="stop each stage cleanly after this long")
    parser.add_argument("--mixed-precision", choices=("no", "bf16"),
                        help="bf16 pays on GPUs, and on CPUs that multiply it in hardware (default: no)")
    parser.add_argument("--compile", action="store_true", default=None, help="compile first: slow to start, then faster")
    parser.add_argument("--export", type=Path, metavar="DIR", help="when done, write the model there in fp16, with its log")
    parser.add_argument("--json", action="store_true", help="print where the model is as JSON")


def run(arguments: argparse.Namespace) -> None:
    output, target = arguments.output, arguments.export
    if output.exists() and not output.is_dir():
        raise BadInput(f"{output}: this is a file, wanted a run folder: choose another name")
    if target and target.is_dir() and any(target.iterdir()) and not (target / "model_index.json").is_file():
        raise BadInput(f"{target}: something else is there, wanted a new folder or one with a model: choose another name")
    try:
        output.mkdir(parents=True, exist_ok=True)
        try_writing(output / "settings.json")
    except OSError as error:
        raise BadInput(f"{output}: cannot be written ({error.strerror}), wanted a run folder: choose another place") from None

    from puppetmaster_core.training.run import STAGES, TrainingError, train

    stages = STAGES if arguments.stage == "all" else (arguments.stage,)
    names = ("steps", "batch_size", "learning_rate", "seed", "max_seconds", "mixed_precision", "compile")
    try:
        done = train(PRESETS[arguments.scale], output, stages=stages, clips=arguments.clips,
                     **{name: getattr(arguments, name) for name in names})
    except (TrainingError, FloatingPointError) as error:
        raise BadInput(str(error)) from error
    if target and done:
        from puppetmaster_core.training.export import export

        export(output, target)
    report = {"done": done, "pipeline": str(output / "pipeline") if (output / "pipeline").is_dir() else None}
    print(json.dumps(report) if arguments.json else f"{'trained' if done else 'time is up, the same command goes on'}: {output}")
