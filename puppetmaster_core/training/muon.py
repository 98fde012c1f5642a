"""Muon (Jordan 2024, https://kellerjordan.github.io/posts/muon/): every matrix of weights moves by an orthogonal step.

torch's own takes matrices only; a convolution's weights are one too, its inputs under all of its window side by side.
"""

from __future__ import annotations

import torch
from torch import Tensor

MOMENTUM = 0.95
POLYNOMIAL = (3.4445, -4.7750, 2.0315)  # the post's: five rounds bring singular values near 1
SMALL = 16  # a matrix with a shorter side is AdamW's


class Muon(torch.optim.AdamW):
    """Matrices by Muon, with steps as large as AdamW's, so that one learning rate serves both; all else by AdamW."""

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None or weight.ndim < 2 or min(weight.flatten(1).shape) < SMALL:
                    continue
                state = self.state[weight]
                if not state:  # "step" is for AdamW, which cannot load a state without it
                    state |= {"step": torch.tensor(0.0), "momentum": torch.zeros_like(weight)}
                mean = state["momentum"].lerp_(weight.grad, 1 - MOMENTUM)
                step = orthogonal(weight.grad.lerp(mean, MOMENTUM).flatten(1))
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.sub_(step.view_as(weight), alpha=0.2 * max(step.shape) ** 0.5 * group["lr"])
                weight.grad = None  # nothing is left to do for AdamW
        return super().step(closure)


def orthogonal(matrix: Tensor) -> Tensor:
    """matrix (m, n) with singular values near 1, by Newton and Schulz's iteration: of its shorter side's products alone."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x, (a, b, c) = wide / (wide.norm() + 1e-7), POLYNOMIAL
    same = torch.eye(len(x), device=x.device)
    square, turned = x @ x.T, same  # of turned @ x with itself; what x is multiplied by so far
    for _ in range(5):
        turn = a * same + b * square + c * square @ square
        square, turned = turn @ square @ turn, turn @ turned
    return turned @ x if wide is matrix else (turned @ x).T
