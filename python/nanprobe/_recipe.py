"""The recipe of a training, read from its live objects, as the nanprobe.toml that the engine reads."""

from __future__ import annotations

import json
import statistics
from typing import Any

import torch
from torch import optim

from ._evidence import Scene
from ._seen import Criterion

# First match wins: AdamW is an Adam.
OPTIMIZERS = ((optim.AdamW, "adamw"), (optim.Adam, "adam"), (optim.RMSprop, "rmsprop"), (optim.SGD, "sgd"))
LOSSES = {
    "cross_entropy": "cross-entropy",
    "nll_loss": "nll",
    "binary_cross_entropy": "bce",
    "binary_cross_entropy_with_logits": "bce-with-logits",
    "mse_loss": "mse",
}
ACTIVATIONS = ("softmax", "log-softmax", "sigmoid", "relu")


def loss_name(criterion: Criterion | None, outputs: int | None) -> str:
    """The engine's name of a criterion; `exported` where it has none for it, or not with these arguments."""
    if criterion is None:
        return "bce-with-logits" if outputs == 1 else "cross-entropy"
    name = LOSSES.get(criterion.function.__name__, "exported")
    own = criterion.module is not None and not type(criterion.module).__module__.startswith("torch.nn.")
    kwargs = {**dict(zip(_rest(criterion.function), criterion.args, strict=False)), **criterion.kwargs}
    plain = all(
        value is None or (key, value) in (("reduction", "mean"), ("label_smoothing", 0.0), ("ignore_index", -100))
        for key, value in kwargs.items()
        if not isinstance(value, torch.Tensor)
    )
    tensors = any(isinstance(value, torch.Tensor) for value in kwargs.values())
    broadcast = name == "mse" and criterion.outputs != criterion.targets
    return "exported" if own or tensors or not plain or broadcast else name


def _rest(function: Any) -> list[str]:
    code = function.__code__
    return list(code.co_varnames[2 : code.co_argcount])


def recipe(scene: Scene, exported: bool) -> dict[str, dict[str, Any]]:
    """The tables of nanprobe.toml."""
    samples = scene.train_samples
    train: dict[str, Any] = {}
    model: dict[str, Any] = {"model": "model.pt2"} if exported else {}
    criterion = scene.state.criterion
    if criterion is not None and criterion.between in ACTIVATIONS:
        model["output-activation"] = criterion.between
    train["loss"] = loss_name(criterion, criterion.outputs[-1] if criterion and len(criterion.outputs) > 1 else None)
    if criterion is not None and train["loss"] == "exported" and not scene.criterion_exports:
        train["loss"] = LOSSES.get(criterion.function.__name__, "cross-entropy")
    groups: dict[str, float] = {}
    if scene.holders:
        groups = _optimizer(scene, train)
    elif scene.recorder.manual_rate is not None:
        train |= {"optimizer": "sgd", "lr": scene.recorder.manual_rate, "momentum": 0.0, "weight-decay": 0.0}
    size = getattr(scene.train.loader, "batch_size", None) if scene.train else None
    if samples is not None:
        train["batch-size"] = (size or statistics.mode(samples.sizes)) * accumulated(scene)
    order = scene.reordered
    if order is not None or scene.train is not None:
        train["shuffle"] = order is not False
    if scene.training and scene.watched:
        eval_mode = sum(not call.training for call in scene.training) * 2 > len(scene.training)
        train["training-mode"] = "eval" if eval_mode else "train"
        if scene.evaluation:
            wrong = sum(call.training for call in scene.evaluation) * 2 > len(scene.evaluation)
            train["evaluation-mode"] = "train" if wrong else "eval"
    tables = {"data": {"data": "batches.safetensors"}, "model": model, "train": train}
    if groups:
        tables["train.lr-group"] = groups
    if scene.watched and (faults := loop_faults(scene)):
        tables["train.loop"] = faults
    return tables


def _optimizer(scene: Scene, train: dict[str, Any]) -> dict[str, float]:
    """Fills in the optimizer's keys; returns the learning rates of parameters that have another one than most."""
    first = max(scene.holders, key=lambda o: sum(p.numel() for p in o.parameters()))
    train["optimizer"] = next((name for kind, name in OPTIMIZERS if isinstance(first.optimizer, kind)), None)
    if train["optimizer"] is None:
        train["optimizer"] = "sgd" if isinstance(first.optimizer, (optim.LBFGS, optim.ASGD)) else "adam"
        kind = type(first.optimizer).__name__
        scene.recorder.notes.append(f"the experiments train by {train['optimizer']} in place of {kind}")
    names, rates, held = scene.names(), {}, []
    for holder in scene.holders:
        now = [float(group["lr"]) for group in holder.optimizer.param_groups]
        first_rates = holder.first + now[len(holder.first) :]
        # A warm-up moves all groups alike.
        factor = (_rate(holder.rates) or 1.0) / holder.rates[0] if holder.rates and holder.rates[0] > 0 else 1.0
        for group, rate in zip(holder.optimizer.param_groups, first_rates, strict=False):
            rate *= factor
            for parameter in group["params"]:
                if id(parameter) in names:
                    rates[names[id(parameter)]] = (rate, parameter.numel())
                    if parameter.requires_grad:
                        held.append(names[id(parameter)])
    weights: dict[float, int] = {}
    for rate, numel in rates.values():
        weights[rate] = weights.get(rate, 0) + numel
    group = first.optimizer.param_groups[0]
    base = max(weights, key=lambda rate: weights[rate]) if weights else (_rate(first.rates) or float(group["lr"]))
    train["lr"] = base
    if train["optimizer"] in ("sgd", "rmsprop"):
        train["momentum"] = float(group.get("momentum", 0.0))
    train["weight-decay"] = float(group.get("weight_decay", 0.0))
    everything = list(names.values())
    if set(held) != set(everything):
        train["trainable"] = held
    return {name: rate for name, (rate, _) in rates.items() if rate != base and name in held}


def accumulated(scene: Scene) -> int:
    """How many batches one step of the optimizer is made of."""
    steps = max((holder.steps for holder in scene.holders), default=0)
    closure = any(isinstance(holder.optimizer, optim.LBFGS) for holder in scene.holders)
    return max(1, round(scene.state.backwards / steps)) if steps > 1 and not closure else 1


def _rate(rates: list[float]) -> float | None:
    """The learning rate that a schedule starts from; of a warm-up, the one in the middle of what was seen."""
    if not rates:
        return None
    return statistics.median(rates) if max(rates) > 2 * rates[0] else rates[0]


def loop_faults(scene: Scene) -> dict[str, Any]:
    """What the loop does otherwise than it should, as [train.loop] says it."""
    r, state = scene.recorder, scene.state
    faults: dict[str, Any] = {}
    steps = max((holder.steps for holder in scene.holders), default=0)
    empty = sum(holder.empty for holder in scene.holders)
    if not state.backwards or state.detached or (steps and empty * 2 > steps):
        faults["backward"] = False
    if not scene.steps():
        faults["step"] = False
    if state.backwards > 1 and sum(h.uncleared for h in scene.holders) * 2 > state.backwards:
        faults["clear-gradients"] = False
    if r.clips:
        faults["clip-norm"] = statistics.median(limit for limit, _, _ in r.clips)
    rates = scene.holders[0].rates if scene.holders else []
    if r.schedule is not None and len(rates) > 1 and 0 < sum(rates) < 0.99 * len(rates) * rates[0]:
        faults["lr-decay"] = decay(sum(rates) / len(rates) / rates[0], len(rates))
    return faults


def decay(mean: float, steps: int) -> float:
    """The factor a step by which a rate that starts at 1 has this mean over the steps, by bisection.

    That, and not the last rate, says how much training a schedule leaves: a cosine ends at zero and is no fault.
    """
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        total = (1 - middle**steps) / (1 - middle)
        low, high = (middle, high) if total < mean * steps else (low, middle)
    return low


def toml(tables: dict[str, dict[str, Any]]) -> str:
    """The text of nanprobe.toml."""
    lines = []
    for name, entries in tables.items():
        lines.append(f"[{name}]")
        lines += [f"{json.dumps(key) if '.' in key else key} = {json.dumps(value)}" for key, value in entries.items()]
        lines.append("")
    return "\n".join(lines)
