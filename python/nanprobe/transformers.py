"""A Hugging Face callback: Trainer(..., callbacks=[NanprobeCallback()]), then `callback.report`."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback

from .watching import Report, Watch


class NanprobeCallback(TrainerCallback):
    """Watches the first `steps` optimizer steps of a training, which goes on as it would without."""

    def __init__(self, steps: int = 200) -> None:
        self.steps, self.watch = steps, Watch()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.watch.__enter__()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step >= self.steps:
            self.watch.__exit__()

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.watch.__exit__()

    @property
    def report(self) -> Report:
        return self.watch.report
