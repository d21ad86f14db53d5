"""Watching a loop that the user runs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ._capture import write
from ._evidence import Scene
from ._hooks import Hooks
from ._record import Recorder
from .report import Report, run_engine


class Watch:
    """Records the loop that runs inside its `with` block. What is not given is discovered from what runs."""

    def __init__(
        self,
        model: Any = None,
        optimizer: Any = None,
        train_loader: Any = None,
        *,
        val_loader: Any = None,
        loss_fn: Any = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.recorder = recorder or Recorder()
        self._given = (model, optimizer, train_loader, val_loader)
        self._hooks = Hooks(self.recorder)
        self._report: Report | None = None

    def __enter__(self) -> Watch:
        self._hooks.install()
        return self

    def __exit__(self, *_: object) -> None:
        """Takes the hooks away; once is enough, twice does no harm."""
        if self._hooks.active:
            self._hooks.remove()
            self.recorder.finish()

    def capture(self, folder: str | Path, *, metric: Any = None) -> dict[str, Any]:
        """Writes what the engine needs into `folder` and returns the recorded evidence."""
        return write(Scene(self.recorder, True, *self._given), Path(folder), metric)

    def diagnose(self, *, metric: Any = None, **options: Any) -> Report:
        """The report on what was seen so far. Raises EngineError where the engine is missing or fails."""
        with tempfile.TemporaryDirectory(prefix="nanprobe-") as folder:
            self.capture(folder, metric=metric)
            return run_engine(Path(folder), options, self.recorder.notes + self.recorder.problems)

    @property
    def report(self) -> Report:
        """The report on the watched loop; made once."""
        if self._report is None:
            self._report = self.diagnose()
        return self._report


watch = Watch
