"""The things that a training loop is made of, as they were seen: calls, criteria, models, loaders, optimizers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ._where import Location


@dataclass(eq=False)
class Forward:
    """One call of a model by the loop."""

    root: nn.Module
    loader: Any
    grad: bool
    training: bool
    where: Location | None
    first_pass: bool = True
    number: int = 0  # of the pass over the loader
    inputs: list[Tensor] | None = None
    target: Tensor | None = None
    batch: Any = None  # as the loader gave it, where the target is still to be found in it
    backward: bool = False
    connected: bool = False  # its inputs come out of another module that trains
    scored: bool = False  # its output reached a criterion
    synchronised: bool = False  # called by way of DistributedDataParallel


@dataclass
class Criterion:
    """A call of a loss during training."""

    name: str
    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: list[int]
    targets: list[int]
    dtype: str
    between: str | None
    detached: bool
    grad: bool
    where: Location | None
    outer: nn.Module | None  # the module that was running when it was called
    module: nn.Module | None = None


@dataclass(eq=False)
class Model:
    """A model that the loop calls, and what happened to it."""

    root: nn.Module
    initial: dict[str, Tensor]  # parameters and buffers before the first call
    call: tuple[list[Any], Any, list[int]] | None = (
        None  # leaves of the arguments, their tree, which leaves are the batch
    )
    criterion: Criterion | None = None
    losses: list[Tensor] = field(default_factory=list)
    criterion_losses: list[Tensor] = field(default_factory=list)
    backwards: int = 0
    detached: int = 0
    detached_at: Location | None = None
    norms: list[Tensor] = field(default_factory=list)
    zero_shares: list[Tensor] = field(default_factory=list)
    reached: set[str] = field(default_factory=set)
    precision: str = "float32"
    leaves: list[nn.Parameter] = field(default_factory=list)  # that the first loss depends on


@dataclass
class Loader:
    """A loader that was made or drawn from."""

    loader: Any
    where: Location | None = None
    passes: int = 0
    drawn: int = 0
    empty: int = 0  # passes that gave no batch, the last one aside
    _current: int = 0  # batches of the pass that is running
    order: dict[int, list[Tensor]] = field(default_factory=dict)

    def begin(self) -> None:
        self.empty += self.passes > 0 and self._current == 0
        self.passes, self._current = self.passes + 1, 0

    def drew(self) -> None:
        self.drawn, self._current = self.drawn + 1, self._current + 1


@dataclass
class Optim:
    """An optimizer that was made or stepped."""

    optimizer: torch.optim.Optimizer
    where: Location | None = None
    steps: int = 0
    empty: int = 0
    uncleared: int = 0
    first: list[float] = field(default_factory=list)  # learning rates of the groups at the first step
    rates: list[float] = field(default_factory=list)  # of the first group at every step
    with_gradient: set[int] = field(default_factory=set)
    witness: tuple[Tensor, Tensor] | None = None  # a parameter, and the gradient that the last step used
    carried: int | None = None  # backward passes since that step that found it still there; None once it was cleared

    def parameters(self) -> list[Tensor]:
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
