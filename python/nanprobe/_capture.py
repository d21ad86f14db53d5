"""Writes the capture folder, from a recorded loop or from its objects alone."""

from __future__ import annotations

import contextlib
import json
import random
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from . import _export, _tensors
from ._evidence import Scene, plain, training_loop
from ._export import NotExportable
from ._hooks import Hooks
from ._recipe import loss_name, recipe, toml
from ._record import MAX_SAMPLES, Recorder
from ._samples import MAX_HELD_OUT
from ._seen import Forward, Loader

TARGET_KEYS = ("labels", "label", "targets", "target", "y", "class", "classes")


@contextlib.contextmanager
def untouched(*loaders: Any) -> Iterator[None]:
    """Puts back every random state that drawing from loaders and running copies of a model can move."""
    numpy = sys.modules.get("numpy")
    python, cpu = random.getstate(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    arrays = numpy.random.get_state() if numpy else None
    generators = [(g, g.get_state()) for loader in loaders for g in _generators(loader)]
    iterators = [(loader, loader._iterator) for loader in loaders if hasattr(loader, "_iterator")]
    for loader, _ in iterators:
        loader._iterator = None  # persistent workers may be in the middle of the user's own pass
    try:
        yield
    finally:
        for loader, iterator in iterators:
            loader._iterator = iterator
        for generator, state in generators:
            generator.set_state(state)
        random.setstate(python)
        torch.set_rng_state(cpu)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)
        if numpy:
            numpy.random.set_state(arrays)


def _generators(loader: Any) -> list[torch.Generator]:
    sampler = getattr(loader, "sampler", None)
    inner = getattr(getattr(loader, "batch_sampler", None), "sampler", None)
    owners = [loader, sampler, inner, getattr(loader, "dataset", None)]
    found = {
        id(g): g for owner in owners for g in getattr(owner, "__dict__", {}).values() if isinstance(g, torch.Generator)
    }
    return list(found.values())


def record(model: nn.Module, train_loader: Any, loss_fn: Any, val_loader: Any) -> Recorder:
    """What can be known without running the user's loop: batches, and one call of the model and its criterion."""
    for name, loader in (("train_loader", train_loader), ("val_loader", val_loader)):
        if loader is not None and iter(loader) is loader:
            raise ValueError(
                f"{name} is an iterator, which can be walked only once: give a DataLoader or a list of batches"
            )
    recorder = Recorder()
    user, copy = _tensors.unwrapped(model), _export.twin(_tensors.unwrapped(model))
    hooks = Hooks(recorder)
    hooks.install()
    try:
        for loader, limit in ((train_loader, MAX_SAMPLES), (val_loader, MAX_HELD_OUT)):
            held = 0
            for batch in loader if loader is not None else ():
                inputs, target = split(batch)
                first = loader is train_loader and held == 0
                if not isinstance(loader, torch.utils.data.DataLoader):
                    recorder.drew(loader, batch).passes = 1
                if first:
                    _first_call(recorder, copy, inputs, target, loss_fn)
                else:
                    _keep(recorder, copy, loader is train_loader, inputs, target)
                held += len(target)
                if held >= limit:
                    break
        _second_pass(recorder, train_loader)
    finally:
        hooks.remove()
    recorder.finish()
    if copy in recorder.models:
        state = recorder.models[user] = recorder.models.pop(copy)
        state.root, state.initial = user, {}
    for call in recorder.forwards:
        call.root = user if call.root is copy else call.root
    return recorder


def split(batch: Any) -> tuple[Any, Tensor]:
    """A batch's inputs and its targets: the last entry of a tuple; of a dictionary the one that is named so."""
    if isinstance(batch, Mapping):
        key = next((key for key in TARGET_KEYS if key in batch), None)
        if key is None:
            raise ValueError(
                f"the batch has the entries {', '.join(map(str, batch))}; its targets must be named one of "
                f"{', '.join(TARGET_KEYS)}"
            )
        return {k: v for k, v in batch.items() if k != key and isinstance(v, Tensor)}, batch[key]
    if isinstance(batch, (list, tuple)) and len(batch) >= 2 and isinstance(batch[-1], Tensor):
        return (batch[0] if len(batch) == 2 else tuple(batch[:-1])), batch[-1]
    raise ValueError(f"a batch must be (inputs, targets) or a dictionary; the loader gives {type(batch).__name__}")


def _arguments(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(inputs, Mapping):
        return (), dict(inputs)
    return (inputs, {}) if isinstance(inputs, tuple) else ((inputs,), {})


def _cpu(value: Any) -> Any:
    return torch.utils._pytree.tree_map(lambda leaf: leaf.cpu() if isinstance(leaf, Tensor) else leaf, value)


def _first_call(recorder: Recorder, copy: nn.Module, inputs: Any, target: Tensor, loss_fn: Any) -> None:
    args, kwargs = _cpu(_arguments(inputs))
    target = target.cpu()
    if loss_fn is None and "labels" in getattr(copy.forward, "__code__", copy.forward.__func__.__code__).co_varnames:
        kwargs = {**kwargs, "labels": target}
    output = copy(*args, **kwargs)
    if loss_fn is not None:
        criterion = _export.twin(loss_fn) if isinstance(loss_fn, nn.Module) else loss_fn
        criterion(_tensors.logits_of(output), target)
    elif recorder.forwards and recorder.forwards[-1].target is None:
        recorder.forwards[-1].target = target.clone()


def _keep(recorder: Recorder, copy: nn.Module, training: bool, inputs: Any, target: Tensor) -> None:
    args, kwargs = _arguments(inputs)
    flat, _ = torch.utils._pytree.tree_flatten((args, kwargs))
    kept = [leaf.detach().clone() for leaf in flat if isinstance(leaf, Tensor)]
    call = Forward(copy, recorder.loader, training, True, None, inputs=kept, target=target.detach().clone())
    recorder.forwards.append(call)
    if training and recorder.loader is not None:
        recorder.loader.order.setdefault(1, []).append(target.detach().flatten()[:64].clone())


def _second_pass(recorder: Recorder, loader: Any) -> None:
    seen: Loader = recorder.loaders[id(loader)]
    for number, batch in enumerate(loader, start=1):
        seen.order.setdefault(2, []).append(split(batch)[1].detach().flatten()[:64].clone())
        if number >= 8:
            break


def write(scene: Scene, folder: Path, metric: Any = None) -> dict[str, Any]:
    """Writes the capture folder of a scene and returns the value of its measurement."""
    folder.mkdir(parents=True, exist_ok=True)
    error = None
    with untouched():
        scene.spread()
        try:
            _write_model(scene, folder, metric)
        except NotExportable as failure:
            error = {"message": str(failure), "location": failure.location}
    tables = recipe(scene, error is None)
    (folder / "nanprobe.toml").write_text(toml(tables), encoding="utf-8")
    value = plain(training_loop(scene, error))
    line = {"schema": "nanprobe.evidence/1", "measurement": "training-loop", "value": value}
    (folder / "evidence.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    return value


def _write_model(scene: Scene, folder: Path, metric: Any) -> None:
    samples = scene.train_samples
    if scene.model is None:
        raise NotExportable("no nn.Module was called with gradients enabled while the loop was watched")
    if scene.composite:
        raise NotExportable(
            "the loop calls several modules one after another: put them into one nn.Module and call that",
            scene.training[0].where,
        )
    if samples is None:
        raise NotExportable("no batch was seen together with its targets, one for each sample")
    if samples.targets.dim() > 2:
        raise NotExportable(
            f"targets have the shape {list(samples.targets.shape)}: nanprobe diagnoses classifiers, with one "
            "label a sample"
        )
    copy = _export.twin(scene.model)
    scene.evaluated = _evaluate(scene, copy, metric)
    _write_batches(scene, folder)
    _export.restore(copy, scene.state.initial)
    copy.train()
    few = min(len(samples.targets), 4)
    given = (scene.state.call, [tensor[:few] for tensor in samples.inputs])
    found, path = scene.state.criterion, folder / "model.pt2"
    if found is not None and loss_name(found, None) == "exported":
        criterion = _export.twin(found.module) if found.module is not None else _bound(found)
        try:
            return _export.export(copy, *given, criterion, samples.targets[:few], path)
        except NotExportable:  # perhaps the model alone can be
            scene.criterion_exports = False
            copy = _export.twin(scene.model)
            _export.restore(copy, scene.state.initial)
    return _export.export(copy.train(), *given, None, samples.targets[:few], path)


def _bound(criterion: Any) -> Any:
    return lambda given, target: criterion.function(given, target, *_cpu(criterion.args), **_cpu(criterion.kwargs))


def _evaluate(scene: Scene, copy: nn.Module, metric: Any) -> dict[str, Any] | None:
    """The model as the loop left it, on the held-out samples, in evaluation mode."""
    samples, call = scene.held_out, scene.state.call
    if samples is None or call is None:
        return None
    run = _export.caller(copy, call)
    copy.eval()
    with torch.no_grad():
        parts = [
            run(copy, tuple(tensor[i : i + 64] for tensor in samples.inputs))
            for i in range(0, len(samples.targets), 64)
        ]
        outputs = torch.cat([_tensors.logits_of(part) for part in parts])
        accuracy = (
            (_tensors.answers(outputs, scene.probabilities()) == _tensors.classes_of(samples.targets)).double().mean()
        )
        if metric is not None:
            scene.recorder.metric = {
                "reported": float(metric(outputs, samples.targets)),
                "recomputed": float(accuracy),
                "samples": len(outputs),
                "location": None,
            }
    return {"samples": len(outputs), "accuracy": float(accuracy)}


def _write_batches(scene: Scene, folder: Path) -> None:
    tensors = {}
    for prefix, samples in (("", scene.train_samples), ("held_out.", scene.held_out)):
        if samples is not None:
            several = len(samples.inputs) > 1
            for i, tensor in enumerate(samples.inputs):
                tensors[f"{prefix}inputs.{i}" if several else f"{prefix}inputs"] = _tensors.storable(tensor)
            targets = samples.targets
            tensors[f"{prefix}targets"] = targets.float() if targets.is_floating_point() else targets.long()
    sizes = scene.train_samples.sizes if scene.train_samples is not None else []
    _tensors.save(folder / "batches.safetensors", tensors, {"batch_sizes": json.dumps(sizes)})
