"""Puts a recorder behind the entry points of torch that every training loop goes through, and takes it away again."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer, lr_scheduler
from torch.optim import optimizer as optimizers
from torch.utils.data import DataLoader, dataloader

from ._record import Recorder, total_norm
from ._seen import Loader, Optim
from ._where import here

LOSSES = (
    "cross_entropy",
    "nll_loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "kl_div",
    "multi_margin_loss",
    "multilabel_soft_margin_loss",
    "soft_margin_loss",
    "hinge_embedding_loss",
)

Event = Callable[..., Any]


class Hooks:
    """The hooks of one recorder. While they are in place torch behaves as before, bit for bit."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder, self.active = recorder, False
        self._undo: list[Callable[[], None]] = []

    def _told(self, event: Event, *args: Any) -> Any:
        """Tells the recorder; its own errors are kept for the report and never reach the user's loop."""
        if not self.active or torch.compiler.is_compiling():
            return None
        try:
            return event(*args)
        except Exception as error:
            self.recorder.problems.append(f"{type(error).__name__} while recording: {error}")
            return None

    def _around(self, owner: Any, name: str, before: Event | None = None, after: Event | None = None) -> None:
        """`before(args, kwargs)` runs ahead of owner.name, `after(result, args, kwargs, token)` behind it."""
        original, own = getattr(owner, name), name in vars(owner)

        @functools.wraps(original)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            token = self._told(before, args, kwargs) if before is not None else None
            result = original(*args, **kwargs)
            if after is not None:
                self._told(after, result, args, kwargs, token)
            return result

        setattr(owner, name, wrapper)
        self._undo.append((lambda: setattr(owner, name, original)) if own else (lambda: delattr(owner, name)))

    def install(self) -> None:
        """Puts all hooks in place; `remove` takes them away, the last one first."""
        r, told = self.recorder, self._told
        self.active = True
        handles = (
            nn.modules.module.register_module_forward_pre_hook(lambda module, _args: told(self._called, module)),
            optimizers.register_optimizer_step_pre_hook(lambda o, _args, _kwargs: told(r.step_begins, o)),
            optimizers.register_optimizer_step_post_hook(lambda o, _args, _kwargs: told(r.step_ends, o)),
        )
        self._undo += [handle.remove for handle in handles]

        self._around(
            torch.autograd,
            "backward",
            lambda a, k: r.backward_begins(a[0] if a else k.get("tensors")),
            lambda _result, _a, _k, outermost: r.backward_ends() if outermost else None,
        )
        for owner in (Optimizer, nn.Module):
            self._around(owner, "zero_grad", after=lambda *_: r.cleared())
        self._around(Optimizer, "__init__", after=lambda _result, a, _k, _t: self._made_optimizer(a[0]))
        for name in LOSSES:
            self._criterion(name)
        for owner in (nn.utils, nn.utils.clip_grad):
            self._around(owner, "clip_grad_norm_", after=self._clipped_norm)
            self._around(owner, "clip_grad_value_", self._gradients_of, self._clipped_value)
        self._around(torch.amp.grad_scaler.GradScaler, "scale", after=self._scaled)
        self._around(torch.amp.grad_scaler.GradScaler, "step", self._stepped_by_scaler)
        for scheduler in (lr_scheduler.LRScheduler, lr_scheduler.ReduceLROnPlateau):
            self._around(scheduler, "step", self._rate_before, self._scheduled)
        self._loaders()

    def remove(self) -> None:
        self.active = False
        while self._undo:
            self._undo.pop()()

    def _called(self, module: nn.Module) -> None:
        """A module is called: of the outermost one the end is awaited too, by a hook that is gone when it comes."""
        if not self.recorder.forward_begins(module):
            return

        def ended(called: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            handle.remove()
            self._told(self.recorder.forward_ends, called, args, kwargs, output)

        handle = module.register_forward_hook(ended, with_kwargs=True, always_call=True)

    def _made_optimizer(self, optimizer: Optimizer) -> None:
        self.recorder.optims.setdefault(id(optimizer), Optim(optimizer, here()))

    def _criterion(self, name: str) -> None:
        original = getattr(nn.functional, name)
        full = f"torch.nn.functional.{name}"
        self._around(
            nn.functional,
            name,
            after=lambda result, a, k, _: self.recorder.criterion_called(full, original, a, k, result),
        )

    def _clipped_norm(self, norm: Any, args: Any, kwargs: Any, _token: Any) -> None:
        limit = args[1] if len(args) > 1 else kwargs["max_norm"]
        self.recorder.clipped(float(limit), torch.as_tensor(norm).detach())

    def _gradients_of(self, args: Any, kwargs: Any) -> Any:
        given = args[0] if args else kwargs["parameters"]
        if not isinstance(given, (list, tuple, torch.Tensor)):
            return None  # a generator would be used up by looking
        parameters = [given] if isinstance(given, torch.Tensor) else given
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        return (gradients, total_norm(gradients)) if gradients else None

    def _clipped_value(self, _result: Any, _args: Any, _kwargs: Any, token: Any) -> None:
        if token is not None:
            self.recorder.clipped(float(total_norm(token[0])), token[1])

    def _scaled(self, _result: Any, args: Any, _kwargs: Any, _token: Any) -> None:
        if args[0].is_enabled():
            self.recorder.scaler = args[0]

    def _stepped_by_scaler(self, _args: Any, _kwargs: Any) -> None:
        self.recorder.scaler_steps += 1

    def _rate_before(self, args: Any, _kwargs: Any) -> float | None:
        # A scheduler calls its own step() once while it is made; that is no step of the loop.
        started = getattr(args[0], "_step_count", 1) != 0
        return float(args[0].optimizer.param_groups[0]["lr"]) if started else None

    def _scheduled(self, _result: Any, args: Any, _kwargs: Any, before: float | None) -> None:
        if before is not None:
            self.recorder.scheduled(args[0], before)

    def _loaders(self) -> None:
        r = self.recorder
        owners: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()

        def made(_result: Any, args: Any, _kwargs: Any, _token: Any) -> None:
            r.loaders.setdefault(id(args[0]), Loader(args[0], here()))

        def begun(iterator: Any, args: Any, _kwargs: Any, _token: Any) -> None:
            owners[iterator] = args[0]
            r.loaders.setdefault(id(args[0]), Loader(args[0])).begin()

        def drew(batch: Any, args: Any, _kwargs: Any, _token: Any) -> None:
            if args[0] in owners:
                r.drew(owners[args[0]], batch)

        self._around(DataLoader, "__init__", after=made)
        self._around(DataLoader, "__iter__", after=begun)
        self._around(dataloader._BaseDataLoaderIter, "__next__", lambda *_: r.check_limit(), drew)
