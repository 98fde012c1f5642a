"""A network as a tape: run once, and every operation of PyTorch that its input had a part in written down.

A page replays the tape (js/tape.js) without PyTorch. Shapes are those of the run; nothing may branch on what is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map


class TapeError(ValueError):
    """A computation that a tape cannot hold."""


@dataclass
class Tape:
    """Tensors are numbered: those below 0 are constants (−1 is the first of `constants`), 0, 1, … are given or computed."""

    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    steps: list[list] = field(default_factory=list)  # [operation, arguments, numbers of its results]; tensors as {"t": number}
    constants: list[Tensor] = field(default_factory=list)
    shapes: dict[int, list[int]] = field(default_factory=dict)  # of what is given or computed


def record(run: Callable[..., Sequence[Tensor]], *given: Tensor) -> tuple[Tape, list[Tensor]]:
    """The tape of run(*given), and what it returned. Raises TapeError for operations that change a tensor in place."""
    recorder = _Recorder(given)
    with torch.no_grad(), recorder:
        results = list(run(*given))
    tape = recorder.tape
    tape.outputs = [recorder.number(one) for one in results]
    tape.steps = _needed(tape)
    return tape, results


def _needed(tape: Tape) -> list[list]:
    """The steps that an output depends on."""
    wanted, kept = set(tape.outputs), []
    for step in reversed(tape.steps):
        if wanted.intersection(step[2]):
            kept.append(step)
            wanted.update(_tensors(step[1]))
    return kept[::-1]


def _tensors(value) -> list[int]:
    if isinstance(value, dict) and set(value) == {"t"}:
        return [value["t"]]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [number for part in parts for number in _tensors(part)]


class _Recorder(TorchDispatchMode):
    def __init__(self, given: Sequence[Tensor]):
        super().__init__()
        self.tape, self.numbers, self.kept = Tape(), {}, []
        self.tape.inputs = [self._name(one) for one in given]

    def _name(self, tensor: Tensor) -> int:
        self.kept.append(tensor)  # or its id would be another's later
        number = self.numbers[id(tensor)] = len(self.tape.shapes)
        self.tape.shapes[number] = list(tensor.shape)
        return number

    def number(self, tensor: Tensor) -> int:
        """Of a tensor; one that no input had a part in becomes a constant."""
        if id(tensor) not in self.numbers:
            self.kept.append(tensor)
            self.tape.constants.append(tensor)
            self.numbers[id(tensor)] = -len(self.tape.constants)
        return self.numbers[id(tensor)]

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
        if not any(self.numbers.get(id(one), -1) >= 0 for one in tensors):
            return func(*args, **kwargs)
        before = args
        if func._schema.is_mutable:
            if id(args[0]) in self.numbers:
                raise TapeError(f"got {func}, which changes a tensor in place, expected operations that make new ones")
            before = (args[0].clone(), *args[1:])  # one that was made for this: with its change it is a new tensor
        arguments = [self._plain(before)]
        arguments += [self._plain(kwargs)] if kwargs else []
        results = func(*args, **kwargs)
        made = [self._name(one) for one in tree_leaves(results) if isinstance(one, Tensor)]
        self.tape.steps.append([func._schema.name.removeprefix("aten::").strip("_"), arguments, made])
        return results

    def _plain(self, value):
        def one(leaf):
            if isinstance(leaf, Tensor):
                return {"t": self.number(leaf)}
            return leaf if isinstance(leaf, bool | int | float | str | None) else str(leaf)
        return tree_map(one, list(value) if isinstance(value, tuple) else value)
