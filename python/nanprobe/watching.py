"""Watching a loop that the user runs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ._capture import write
from ._evidence import Scene
from ._hooks import Hooks
from ._ranks import Ranks, compared, seen_by_rank
from ._record import Recorder
from .report import EngineError, Report, run_engine


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
        self.ranks = Ranks.of_environment()
        if self.ranks is not None:
            self.ranks.share_limit(self.recorder)
        self._given = (model, optimizer, train_loader, val_loader)
        self._hooks = Hooks(self.recorder)
        self._report: Report | None = None
        self._seen: dict[str, Any] = {}

    def __enter__(self) -> Watch:
        self._hooks.install()
        return self

    def __exit__(self, kind: type[BaseException] | None = None, *_: object) -> None:
        """Takes the hooks away; once is enough, twice does no harm."""
        if self._hooks.active:
            self._hooks.remove()
            self.recorder.finish()
            if self.ranks is not None:
                crashed = kind.__name__ if kind is not None and issubclass(kind, Exception) else None
                self._seen = seen_by_rank(self._scene(), crashed)
                if not self.ranks.leads:
                    self.ranks.tell(self._seen)

    def _scene(self) -> Scene:
        return Scene(self.recorder, True, *self._given)

    def capture(self, folder: str | Path, *, metric: Any = None) -> dict[str, Any]:
        """Writes what the engine needs into `folder` and returns the recorded evidence.

        Under torchrun that is for rank 0; raises EngineError on the others, which told it what they saw.
        """
        scene = self._scene()
        if self.ranks is not None:
            if not self.ranks.leads:
                raise EngineError(f"this is rank {self.ranks.rank}: the report on all ranks is made by rank 0")
            self._hear(self.ranks, scene)
        return write(scene, Path(folder), metric)

    def _hear(self, ranks: Ranks, scene: Scene) -> None:
        """What the other ranks saw; a rank that does not answer leaves rank 0 with its own view."""
        try:
            others = ranks.hear()
        except RuntimeError:
            self.recorder.notes.append("another rank did not tell what it saw: this is rank 0 alone")
            return
        crashed = {rank: seen["crashed"] for rank, seen in enumerate(others, 1) if seen["crashed"]}
        self.recorder.notes += [f"rank {rank} ended with {error}" for rank, error in crashed.items()]
        scene.ranks = compared(scene, [self._seen, *others])

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
