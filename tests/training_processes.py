"""Runs of the training loop in processes of their own: killed at any moment, or two at a time. Prints what came of them as JSON.

    python tests/training_processes.py FOLDER killed together
    python tests/training_processes.py FOLDER scales

What it imports takes seconds, so it is imported once and every process is forked.
"""

import json
import os
import shutil
import signal
import socket
import sys
import traceback
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from puppetmaster_core.presets import SMOKE
from puppetmaster_core.training import checkpoint, run, samples
from puppetmaster_core.training.batches import row_noise
from puppetmaster_core.training.config import RunSettings
from puppetmaster_core.training.export import scalars
from puppetmaster_core.training.loop import fit

STEPS = 24
WHOLE_SAVE = torch.save


def problem(step, rows, seed):
    return {"x": row_noise(seed, step, rows, (6,))}


def train(folder, say=lambda letter: None, **changes):
    """A small regression, with a letter said at every step, and at every checkpoint half-way through."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1))
    settings = RunSettings(str(folder), STEPS, 8, 0.05, warmup_steps=4, decay_steps=8, ema_decay=0.9, checkpoint_every=3,
                           log_every=1, seed=5, **changes)

    def loss(module, batch):
        say("s")
        return (module(batch["x"]) - batch["x"].prod(1, keepdim=True)).square().mean(), {}

    def save(record, path):
        WHOLE_SAVE(record, path)
        say("c" if Path(path).name == checkpoint.OPTIMIZER else "e")

    torch.save = save
    fit(model, partial(problem, seed=5), loss, settings)
    return model


def outcome(folder, model=None):
    losses = scalars(Path(folder))["loss"]
    weights = [p.flatten().tolist() for p in model.parameters()] if model else []
    return {"losses": [losses[step] for step in sorted(losses)], "steps": sorted(losses), "weights": weights}


def in_fork(work):
    """Run work(say) in a process of its own; its id, and the end of a pipe where its letters come out."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(out)
        code = 1
        try:
            work(lambda letter: os.write(into, letter.encode()))
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(into)
    return child, out


def killed(root):
    """A run that nothing disturbs, and one that is killed: in its 2nd, 5th and 11th step of a start, and while it saves."""
    record = root / "whole.json"

    def whole(_):
        record.write_text(json.dumps(outcome(root / "whole", train(root / "whole"))))

    os.waitpid(in_fork(whole)[0], 0)
    kills = 0
    for letter, count in (("s", 2), ("s", 5), ("c", 1), ("s", 11), ("e", 2), ("c", 2)):
        child, out = in_fork(lambda say: train(root / "killed", say))
        seen = 0
        while seen < count and (said := os.read(out, 1)):
            seen += said == letter.encode()
        os.kill(child, signal.SIGKILL)
        kills += os.WIFSIGNALED(os.waitpid(child, 0)[1])
        os.close(out)

    def last(_):
        (root / "killed.json").write_text(json.dumps(outcome(root / "killed", train(root / "killed"))))

    os.waitpid(in_fork(last)[0], 0)
    return {"kills": kills, **{name: json.loads((root / f"{name}.json").read_text()) for name in ("whole", "killed")}}


def side_by_side(processes, work):
    """work() in as many processes as torchrun would start, with what it would tell them; their exit codes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def one_of(index, _):
        if processes > 1:
            os.environ.update(RANK=str(index), LOCAL_RANK=str(index), WORLD_SIZE=str(processes), MASTER_ADDR="127.0.0.1",
                              MASTER_PORT=str(port))
        work()

    children = [in_fork(partial(one_of, index))[0] for index in range(processes)]
    return [os.waitpid(child, 0)[1] for child in children]


def together(root):
    """The same run by one process, by one in two rounds an update, by two processes, and by two that share the model out."""

    def one_run(folder, rounds, shard):
        model = train(folder, accumulate=rounds, shard=bool(shard))
        if os.environ.get("RANK", "0") == "0":
            folder.with_suffix(".json").write_text(json.dumps(outcome(folder, model)))

    found = {}
    for processes, rounds, shard in ((1, 1, ""), (1, 2, ""), (2, 2, ""), (2, 2, "-shared")):
        name = f"{processes}x{rounds}{shard}"
        codes = side_by_side(processes, partial(one_run, root / name, rounds, shard))
        found[name] = {"codes": codes, **json.loads((root / f"{name}.json").read_text())}
    return found


def scale(folder, shard=False):
    """All stages of the smallest scale, with pictures of unseen clips at the end. shard: shared out, and stopped in between."""
    samples.SHOWN = 1
    stage = {"steps": 3, "batch_size": 4, "learning_rate": 1e-3, "warmup_steps": 1, "accumulate": 2, "log_every": 1}
    preset = replace(SMOKE, residual=True, training={"clips": 4, "vae": stage, "denoiser": stage})
    changes = {"shard": True, "activation_checkpointing": True} if shard else {}
    if changes:
        assert run.train(preset, str(folder), config={"denoiser": {"steps": 2}}, **changes)
    assert run.train(preset, str(folder), **changes)


def scales(root):
    """A scale by one process, by two, and its denoiser again by two that share it out, in two starts."""
    codes = [*side_by_side(1, partial(scale, root / "one")), *side_by_side(2, partial(scale, root / "two"))]
    shutil.copytree(root / "one", root / "shared", ignore=shutil.ignore_patterns("denoiser", "pipeline"))
    return {"codes": [*codes, *side_by_side(2, partial(scale, root / "shared", shard=True))]}


if __name__ == "__main__":
    print(json.dumps({work.__name__: work(Path(sys.argv[1])) for work in (killed, together, scales)
                      if work.__name__ in sys.argv[2:]}))
