"""Find out what keeps a PyTorch classifier from learning, from the training loop that you have.

    python -m nanprobe train.py                                # your script, as it is
    report = nanprobe.diagnose(model, loader, loss, optimizer)  # the objects of a training
    with nanprobe.watch() as w: train_one_epoch()               # a loop of your own; then w.report

The package records, and runs the nanprobe engine, which judges by experiments. Nothing of yours is changed.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ._capture import record, untouched, write
from ._evidence import Scene
from ._seen import Optim
from .report import EngineError, Report, Verdict, run_engine
from .watching import Watch, watch

__all__ = ["EngineError", "Report", "Verdict", "Watch", "capture", "diagnose", "watch"]


def capture(
    model: Any,
    train_loader: Any,
    loss_fn: Any = None,
    optimizer: Any = None,
    val_loader: Any = None,
    *,
    folder: str | Path,
    metric: Any = None,
    scheduler: Any = None,
) -> dict[str, Any]:
    """Writes what the engine needs into `folder` and returns the recorded evidence; nothing is judged.

    Raises ValueError for a loader that can be walked only once, or for batches whose targets cannot be told.
    """
    with untouched(train_loader, val_loader):
        recorder = record(model, train_loader, loss_fn, val_loader)
    for held in optimizer if isinstance(optimizer, (list, tuple)) else [optimizer]:
        if held is not None:
            recorder.optims[id(held)] = Optim(held)
    if scheduler is not None:
        rate = scheduler.get_last_lr()[0]
        name = f"{type(scheduler).__module__}.{type(scheduler).__qualname__}"
        recorder.schedule = {"class": name, "first": rate, "last": rate, "changes": 0, "location": None}
    return write(Scene(recorder, False, model, None, train_loader, val_loader), Path(folder), metric)


def diagnose(
    model: Any,
    train_loader: Any,
    loss_fn: Any = None,
    optimizer: Any = None,
    val_loader: Any = None,
    *,
    metric: Any = None,
    scheduler: Any = None,
    watch: Watch | None = None,
    **options: Any,
) -> Report:
    """Diagnoses a training by its objects; with `watch`, a `nanprobe.watch` that saw the loop run, by that loop too.

    `options` are the engine's flags, such as quick=True or budget="60s". Raises EngineError where the engine is missing
    or fails, ValueError as `capture` does.
    """
    if watch is not None:
        return watch.diagnose(metric=metric, **options)
    with tempfile.TemporaryDirectory(prefix="nanprobe-") as folder:
        capture(model, train_loader, loss_fn, optimizer, val_loader, folder=folder, metric=metric, scheduler=scheduler)
        return run_engine(Path(folder), options)
