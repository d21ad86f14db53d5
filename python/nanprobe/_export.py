"""The model, with its criterion where the engine needs it, as a torch.export file."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree

from . import _where
from ._tensors import logits_of

# Earlier versions cannot leave the batch size open by themselves (`Dim.AUTO`).
OLDEST = (2, 6)


class NotExportable(Exception):
    """Why there is no model.pt2, in the user's terms, and the line it is about."""

    def __init__(self, message: str, location: _where.Location | None = None) -> None:
        super().__init__(message)
        self.location = location


def twin(model: nn.Module) -> nn.Module:
    """A copy on the CPU, to run and export in the model's place."""
    # Modules that keep an activation of the last batch hold a tensor that cannot be deep-copied.
    kept = [value for module in model.modules() for value in vars(module).values()]
    memo = {id(value): value.detach() for value in kept if isinstance(value, Tensor) and not value.is_leaf}
    try:
        return copy.deepcopy(model, memo).cpu()
    except Exception as error:
        raise NotExportable(f"the model cannot be copied ({_first_line(error)})", _where.of_error(error)) from error


def restore(model: nn.Module, values: dict[str, Tensor]) -> None:
    """Puts values into a model's parameters and buffers of these names."""
    with torch.no_grad():
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            if name in values and values[name].shape == tensor.shape:
                tensor.copy_(values[name])


def caller(model: nn.Module, call: tuple[list[Any], Any, list[int]]) -> Callable[..., Any]:
    """Calls the model as the loop does, with other tensors in place of the batch's."""
    template, spec, slots = call
    template = [leaf.cpu() if isinstance(leaf, Tensor) else leaf for leaf in template]

    def run(forward: Callable[..., Any], inputs: tuple[Tensor, ...]) -> Any:
        flat = list(template)
        for slot, tensor in zip(slots, inputs, strict=True):
            flat[slot] = tensor
        args, kwargs = _pytree.tree_unflatten(flat, spec)
        return forward(*args, **kwargs)

    return run


@contextlib.contextmanager
def _data_detaches() -> Iterator[None]:
    """`x.data` cannot be traced; `x.detach()`, which gives the same values and as little gradient, can."""
    stored = torch.Tensor.data
    torch.Tensor.data = property(lambda tensor: tensor.detach(), stored.__set__)  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        del torch.Tensor.data


def export(model: nn.Module, call: Any, inputs: list[Tensor], criterion: Any, targets: Tensor, path: Path) -> None:
    """Writes model.pt2 of a `twin`: forward(*inputs) -> logits, or forward(*inputs, targets) -> (logits, loss).

    Raises NotExportable.
    """
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < OLDEST:
        raise NotExportable(
            f"torch {torch.__version__} cannot export a model with an open batch size: use torch 2.6 or later to have "
            "fixes tried by experiment"
        )
    kind, run, count = type(model), caller(model, call), len(inputs)
    template, spec, slots = call
    given = (*inputs, targets) if criterion is not None else tuple(inputs)

    def forward(self: Any, *tensors: Tensor) -> Any:
        output = run(lambda *args, **kwargs: kind.forward(self, *args, **kwargs), tensors[:count])
        logits = logits_of(output)
        return logits if criterion is None else (logits, criterion(logits, tensors[count]))

    # A subclass, not a module around it: names of parameters and modules stay those of the user's model.
    model.__class__ = type(kind.__name__, (kind,), {"forward": forward, "__module__": kind.__module__})
    batch = {0: torch.export.Dim.AUTO}
    try:
        with _quiet(), _data_detaches():
            program = torch.export.export(model, given, dynamic_shapes=(tuple(batch for _ in given),), strict=False)
            shape = next(
                node.meta["val"].shape
                for node in program.graph.nodes
                if node.op == "placeholder" and node.name in program.graph_signature.user_inputs
            )
            if not isinstance(shape[0], torch.SymInt):
                raise NotExportable(
                    f"the model's forward fixes the batch size at {shape[0]}: write `x.size(0)` where it reshapes"
                )
            torch.export.save(program, path)
    except NotExportable:
        raise
    except Exception as error:
        raise NotExportable(_in_words(error), _where.of_error(error)) from error


def _in_words(error: Exception) -> str:
    kind, text = type(error).__name__, str(error)
    if "DataDependent" in kind or "data-dependent" in text or "DataDependent" in text:
        return (
            "the model's forward decides by the values of a tensor (an `if`, a loop or `.item()`), which torch.export "
            "cannot follow: use `torch.where`, or keep the decision out of the model"
        )
    if "numpy" in text.lower() or "FakeTensor" in text:
        return f"the model's forward leaves torch, through numpy or a foreign tensor ({_first_line(error)})"
    return f"torch.export cannot follow the model's forward ({_first_line(error)})"


def _first_line(error: Exception) -> str:
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return line[:160]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without torch.export's own warnings, logs and printed graphs, which say nothing to the user of this package."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    sink = io.StringIO()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
