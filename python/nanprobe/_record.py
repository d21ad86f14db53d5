"""What is remembered of a training loop while it runs. The events come from `_hooks`; nothing here changes a value."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree

from . import _tensors as tensors
from ._where import Location, assigned, here, users_frame

# Gradients and parameters are looked at after these backward passes only: the rest of the loop stays as fast as it was.
LOOK_AT = frozenset({1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000})
MAX_SAMPLES, MAX_BYTES, MAX_LOSSES = 1500, 120 * 2**20, 1000

# The last part of a variable's name that holds an accuracy, such as `val_acc`.
_ACCURACY = re.compile(r"^(?:val|valid|validation|test|eval|dev)?_?(?:acc|accuracy)$", re.IGNORECASE)


class Enough(BaseException):
    """Ends a watched script once enough was seen. Not an Exception, so that a script's own handlers let it through."""


@dataclass(eq=False)
class Forward:
    """One call of a model by the loop."""

    root: nn.Module
    loader: Any
    grad: bool
    training: bool
    where: Location | None
    first_pass: bool = True
    inputs: list[Tensor] | None = None
    target: Tensor | None = None
    backward: bool = False
    connected: bool = False


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
    where: Location | None
    module: nn.Module | None = None


@dataclass
class Loader:
    """A loader that was made or drawn from."""

    loader: Any
    where: Location | None = None
    passes: int = 0
    drawn: int = 0
    order: dict[int, list[Tensor]] = field(default_factory=dict)


@dataclass
class Optim:
    """An optimizer that was made or stepped."""

    optimizer: torch.optim.Optimizer
    where: Location | None = None
    steps: int = 0
    empty: int = 0
    uncleared: int = 0
    rates: list[float] = field(default_factory=list)
    with_gradient: set[int] = field(default_factory=set)
    witness: tuple[Tensor, Tensor] | None = None  # a parameter, and the gradient that the last step used
    carried: int | None = None  # backward passes since that step that found it still there; None once it was cleared

    def parameters(self) -> list[Tensor]:
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]


class Recorder:
    """Everything seen so far."""

    def __init__(self, max_steps: int | None = None, max_seconds: float | None = None) -> None:
        self.max_steps, self.deadline = max_steps, time.monotonic() + max_seconds if max_seconds else None
        self.loaders: dict[int, Loader] = {}
        self.optims: dict[int, Optim] = {}
        self.forwards: list[Forward] = []
        self.initial: dict[nn.Module, dict[str, Tensor]] = {}
        self.call: dict[nn.Module, tuple[list[Any], Any, list[int]]] = {}
        self.criterion: Criterion | None = None
        self.losses: list[Tensor] = []
        self.criterion_losses: list[Tensor] = []
        self.norms: list[Tensor] = []
        self.zero_shares: list[Tensor] = []
        self.reached: dict[nn.Module, set[str]] = {}
        self.clips: list[tuple[float, Tensor, Location | None]] = []
        self.schedule: dict[str, Any] | None = None
        self.metric: dict[str, Any] | None = None
        self.places: dict[str, Location | None] = {}
        self.clear_location: Location | None = None
        self.target_path: tuple[Any, ...] | None = None
        self.problems: list[str] = []
        self.backwards = self.detached = 0
        self.precision = "float32"
        self.scaler: Any = None
        self.loader: Loader | None = None  # that the last batch came from
        self.batch: Any = None
        self.gradients = "none"  # then "new" after a backward pass, "used" after a step, "lost" if cleared before one
        self._outer: nn.Module | None = None
        self._outputs: list[Tensor] = []
        self._inner: tuple[Tensor, Tensor] | None = None
        self._since: list[Forward] = []
        self._loss: list[Tensor] = []
        self._stored: dict[Any, list[int]] = {}
        self._frame: Any = None
        self._part: Any = None
        self._answers: list[tuple[Tensor, Tensor]] = []
        self._in_backward = False

    def _place(self, name: str) -> None:
        if name not in self.places:
            self.places[name] = here()

    def check_limit(self) -> None:
        steps = max((optim.steps for optim in self.optims.values()), default=0)
        enough = steps or self.backwards or len(self.forwards)
        if (self.max_steps and enough >= self.max_steps) or (self.deadline and time.monotonic() > self.deadline):
            raise Enough

    # --- the model ---------------------------------------------------------------------------------------------------

    def forward_begins(self, module: nn.Module, _args: Any) -> None:
        if self._outer is None and not self._in_backward:  # a checkpointed module runs again in the backward pass
            self._outer, self._inner = module, None
            root = tensors.unwrapped(module)
            if root in self.initial:
                self.check_limit()
            elif next(root.parameters(), None) is not None:
                self.initial[root] = {name: value.detach().clone() for name, value in _state(root).items()}

    def forward_ends(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        if module is not self._outer:
            return
        self._outer = None
        root = tensors.unwrapped(module)
        if root in self.initial:
            self._model_called(root, args, kwargs, output)
        elif self.criterion is not None and isinstance(output, Tensor) and output.dim() == 0 and len(args) >= 2:
            self._loss_module_called(module, args, output)

    def _model_called(self, root: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        logits = tensors.logits_of(output)
        if logits is None:
            return
        grad = torch.is_grad_enabled()
        call = Forward(root, self.loader, grad, root.training, here())
        self._outputs = [leaf for _, leaf in tensors.leaves(output)] or [logits]
        if not any(leaf is logits for leaf in self._outputs):
            self._outputs.append(logits)
        call.first_pass = self.loader is None or self.loader.passes <= 1
        flat, spec = _pytree.tree_flatten((args, kwargs))
        if self._inner is not None:  # the model computes its own loss: its targets are not an input
            target = self._inner[1]
            flat = [None if isinstance(leaf, Tensor) and _same(leaf, target) else leaf for leaf in flat]
        slots = [
            i for i, leaf in enumerate(flat) if isinstance(leaf, Tensor) and leaf.dim() and len(leaf) == len(logits)
        ]
        if root not in self.call:
            self.call[root] = ([None if i in slots else leaf for i, leaf in enumerate(flat)], spec, slots)
        call.connected = any(flat[i].requires_grad and flat[i].grad_fn is not None for i in slots)
        self._store(call, [flat[i] for i in slots], logits)
        device = logits.device.type
        if torch.is_autocast_enabled(device):
            self.precision = str(torch.get_autocast_dtype(device)).removeprefix("torch.")
        elif grad and logits.dtype in (torch.float16, torch.bfloat16):
            self.precision = str(logits.dtype).removeprefix("torch.")
        if grad:
            self._read_accuracy()
        else:
            self._evaluated(logits)
        self.forwards.append(call)
        self._since.append(call)
        if self._inner is not None:
            call.target = self._inner[1].detach().clone() if call.inputs is not None else None

    def _store(self, call: Forward, inputs: list[Tensor], logits: Tensor) -> None:
        """Keeps copies of the inputs of a loader's first pass, up to a limit for each kind of pass."""
        key = (id(call.loader) if call.loader else call.root, call.grad)
        stored = self._stored.setdefault(key, [0, 0])
        nbytes = sum(tensor.nbytes for tensor in inputs)
        if not inputs or stored[0] >= MAX_SAMPLES or stored[1] + nbytes > MAX_BYTES or not call.first_pass:
            return
        stored[0], stored[1] = stored[0] + len(logits), stored[1] + nbytes
        call.inputs = [tensor.detach().clone() for tensor in inputs]
        call.target = self._target_of_batch()

    def _target_of_batch(self) -> Tensor | None:
        if self.target_path is None or self.loader is None:
            return None
        return dict(tensors.leaves(self.batch)).get(self.target_path)

    # --- the criterion -----------------------------------------------------------------------------------------------

    def criterion_called(self, name: str, function: Any, args: Any, kwargs: Any, result: Any) -> None:
        given = args[0] if args else kwargs.get("input")
        target = args[1] if len(args) > 1 else kwargs.get("target")
        if not (isinstance(given, Tensor) and isinstance(target, Tensor) and isinstance(result, Tensor)):
            return
        inside = self._outer is not None and tensors.unwrapped(self._outer) in self.initial
        if inside:
            self._inner = (given, target)
            found: tuple[str | None, bool] = (None, True)
        elif not self._since:
            return
        else:
            self._take_target(target)
            found = (None, True)
        if torch.is_grad_enabled() or self.criterion is None:
            if result.dim() == 0:
                self._loss.append(result.detach())
                self.criterion_losses = (self.criterion_losses + [result.detach()])[:MAX_LOSSES]
            if self.criterion is None:
                if not inside:
                    found = tensors.between(given, self._outputs)
                rest, named = args[2:], {k: v for k, v in kwargs.items() if k not in ("input", "target")}
                self.criterion = Criterion(
                    name, function, rest, named, list(given.shape), list(target.shape), str(target.dtype)[6:],
                    found[0], torch.is_grad_enabled() and not found[1], here(),
                )  # fmt: skip

    def _take_target(self, target: Tensor) -> None:
        call = self._since[-1]
        batch = dict(tensors.leaves(self.batch)) if self.loader is not None else {}
        if self.target_path is None:
            self.target_path = next((path for path, leaf in batch.items() if _same(leaf, target)), None)
        if call.inputs is not None and call.target is None:
            call.target = target.detach().clone()
        if self.loader is not None and call.grad and self.loader.passes in (1, 2):
            order = self.loader.order.setdefault(self.loader.passes, [])
            if len(order) < 8:
                order.append(target.detach().flatten()[:64].clone())

    def _loss_module_called(self, module: nn.Module, args: Any, output: Tensor) -> None:
        """A loss as a module: what its function recorded gets the module's class and arguments."""
        if self.criterion.module is None and isinstance(args[0], Tensor) and self.criterion.where == here():
            self.criterion.module = module
            self.criterion.name = f"{type(module).__module__}.{type(module).__qualname__}"

    # --- gradients and steps -----------------------------------------------------------------------------------------

    @torch.no_grad()
    def backward_begins(self, root: Any) -> bool:
        """Whether it is the loop's own backward pass, and not one inside another as checkpointing makes them."""
        if self._in_backward:
            return False
        self.check_limit()
        self._in_backward = True
        self._place("loss")
        root = root[0] if isinstance(root, (list, tuple)) and root else root
        for optim in self.optims.values():
            if optim.witness is not None and optim.carried is not None:
                parameter, used = optim.witness
                gradient = parameter.grad
                optim.carried = optim.carried + 1 if gradient is used and bool(gradient.any()) else None
        self.backwards += 1
        if isinstance(root, Tensor):
            if self.backwards in LOOK_AT and self.initial:
                parameters = [parameter for model in self.initial for parameter in model.parameters()]
                self.detached += not tensors.reaches(root, parameters)
            if len(self.losses) < MAX_LOSSES:
                scale = self.scaler.get_scale() if self.scaler is not None else 1.0
                self.losses.append(self._loss[0] if len(self._loss) == 1 else root.detach().float().mean() / scale)
        since = [call for call in self._since if call.grad] or self._since[-1:]
        for call in since:
            call.backward = call.backward or call.loader is since[-1].loader
        self._since, self._loss = [], []
        return True

    @torch.no_grad()
    def backward_ends(self) -> None:
        self.gradients, self._in_backward = "new", False
        if self.backwards not in LOOK_AT:
            return
        model = next((call.root for call in reversed(self.forwards) if call.backward), None)
        if model is None:
            return
        gradients = {name: p.grad for name, p in model.named_parameters() if p.requires_grad and p.grad is not None}
        self.reached.setdefault(model, set()).update(gradients)
        dense = [gradient for gradient in gradients.values() if not gradient.is_sparse]
        if dense:
            scale = self.scaler.get_scale() if self.scaler is not None else 1.0
            self.norms.append(total_norm(dense) / scale)
            zeros = sum((gradient == 0).sum() for gradient in dense)
            self.zero_shares.append(zeros / sum(gradient.numel() for gradient in dense))

    @torch.no_grad()
    def step_begins(self, optimizer: Any) -> None:
        self._place("step")
        self._in_backward = False
        optim = self.optims.setdefault(id(optimizer), Optim(optimizer))
        if len(optim.rates) < 10_000:
            optim.rates.append(float(optimizer.param_groups[0]["lr"]))
        parameters = optim.parameters()
        if optim.steps < 3:
            optim.with_gradient.update(id(parameter) for parameter in parameters if parameter.grad is not None)
        if self.gradients == "lost":
            optim.empty += not any(p.grad is not None and bool(p.grad.any()) for p in parameters)

    @torch.no_grad()
    def step_ends(self, optimizer: Any) -> None:
        optim = self.optims[id(optimizer)]
        optim.steps += 1
        optim.uncleared += optim.carried or 0
        witness = optim.witness[0] if optim.witness is not None else None
        if witness is None or witness.grad is None:
            witness = min((p for p in optim.parameters() if p.grad is not None), key=Tensor.numel, default=None)
        optim.witness = None if witness is None else (witness, witness.grad)
        optim.carried = 0
        self._since, self._loss = [], []
        self.gradients = "lost" if self.gradients == "lost" else "used"
        self.check_limit()

    def cleared(self) -> None:
        if self.gradients == "new":
            self.gradients = "lost"
            self.clear_location = here()

    @torch.no_grad()
    def clipped(self, limit: float, norm: Tensor) -> None:
        if len(self.clips) < MAX_LOSSES:
            self.clips.append((limit, norm, here() if not self.clips else self.clips[0][2]))

    def scheduled(self, scheduler: Any, before: float) -> None:
        after = float(scheduler.optimizer.param_groups[0]["lr"])
        if self.schedule is None:
            name = f"{type(scheduler).__module__}.{type(scheduler).__qualname__}"
            self.schedule = {"class": name, "first": before, "last": after, "changes": 0, "location": here()}
        self.schedule["last"] = after
        self.schedule["changes"] += after != before

    # --- data --------------------------------------------------------------------------------------------------------

    def drew(self, loader: Any, batch: Any) -> None:
        self.loader = self.loaders.setdefault(id(loader), Loader(loader))
        self.loader.drawn += 1
        self.batch = batch

    def _evaluated(self, logits: Tensor) -> None:
        """Remembers the frame that evaluates the model, and what the model answers there."""
        part = (id(self.loader), self.loader.passes if self.loader else 0)
        if self._frame is None or part != self._part:
            self._answers, self._part = [], part
        self._frame = users_frame()
        target = self._target_of_batch()
        if target is not None and logits.numel() <= 10**6:
            self._answers.append((logits.detach(), target))

    def _read_accuracy(self) -> None:
        """The accuracy that the loop computed in the frame that evaluated the model, once the evaluation is over."""
        frame, self._frame = self._frame, None
        if frame is None or not self._answers:
            return
        for name, value in list(frame.f_locals.items()):
            if _ACCURACY.match(name) and not isinstance(value, bool):
                value = value.item() if isinstance(value, Tensor) and value.numel() == 1 else value
                if isinstance(value, (int, float)):
                    self.metric = {
                        "value": float(value),
                        "answers": self._answers,
                        "location": assigned(frame.f_code, name),
                    }

    def finish(self) -> None:
        """To be called when the loop is over, before anything is read."""
        self._read_accuracy()
        self._frame = self._outer = self.batch = None
        self._outputs, self._since = [], []


def total_norm(gradients: list[Tensor]) -> Tensor:
    """The norm of all gradients together."""
    device = gradients[0].device
    return torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g.float()).to(device) for g in gradients]))


def _state(module: nn.Module) -> dict[str, Tensor]:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _same(leaf: Tensor, target: Tensor) -> bool:
    """Whether a tensor of the batch is what reached the criterion, perhaps reshaped, converted or moved."""
    if leaf.numel() != target.numel():
        return False
    return leaf is target or torch.equal(leaf.flatten().double().cpu(), target.flatten().double().cpu())
