"""A Lightning callback: Trainer(callbacks=[NanprobeCallback()]), then `callback.report`."""

from __future__ import annotations

from typing import Any

try:
    from lightning.pytorch.callbacks import Callback
except ImportError:
    from pytorch_lightning.callbacks import Callback

from .watching import Report, Watch


class NanprobeCallback(Callback):
    """Watches the first `steps` optimizer steps of a fit; the training goes on as it would without."""

    def __init__(self, steps: int = 200) -> None:
        self.steps, self.watch = steps, Watch()

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        self.watch.__enter__()

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        if trainer.global_step >= self.steps:
            self.watch.__exit__()

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        self.watch.__exit__()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        self.watch.__exit__()

    @property
    def report(self) -> Report:
        return self.watch.report
