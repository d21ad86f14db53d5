"""Training in several processes under torchrun: each rank watches itself, rank 0 hears the others and judges."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed import PrefixStore, Store, TCPStore
from torch.utils.data import DistributedSampler

from ._evidence import Scene
from ._record import Recorder

# Batches and values of each parameter that are compared. What differs between ranks differs nearly everywhere.
BATCHES, VALUES = 20, 64
# How long rank 0 waits for what the others saw, seconds; they stop at the same step.
WAIT = 60
# The other ranks ask so long before their own limit of time, seconds, whether rank 0 has reached its own.
EARLY = 10


class Ranks:
    """This process's place among the ranks, and the store that torchrun keeps for them."""

    def __init__(self, rank: int, size: int, store: Store) -> None:
        self.rank, self.size, self._store = rank, size, store
        self._last: int | None = None

    @classmethod
    def of_environment(cls) -> Ranks | None:
        """The ranks that torchrun started, or None where there is one process or no torchrun."""
        env = os.environ
        if int(env.get("WORLD_SIZE", "1")) < 2 or env.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
            return None
        store = TCPStore(env["MASTER_ADDR"], int(env["MASTER_PORT"]), timeout=timedelta(seconds=WAIT))
        attempt = f"nanprobe/{env.get('TORCHELASTIC_RESTART_COUNT', '0')}"
        return cls(int(env["RANK"]), int(env["WORLD_SIZE"]), PrefixStore(attempt, store))

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def share_limit(self, recorder: Recorder) -> None:
        """Makes the ranks stop together: the time is rank 0's, and the others ask for it a little early."""
        recorder.over = self._over
        if recorder.deadline is not None and not self.leads:
            recorder.deadline -= EARLY

    def _over(self, steps: int) -> bool:
        """Whether the last step that rank 0 chose is done: a rank that stops alone leaves the others waiting for it."""
        if self._last is None:
            if self.leads:
                self._store.set("last", str(steps + 2))
            elif not self._store.check(["last"]):
                return False
            self._last = int(self._store.get("last"))
        return steps >= self._last

    def tell(self, seen: dict[str, Any]) -> None:
        self._store.set(f"rank{self.rank}", json.dumps(seen))

    def hear(self) -> list[dict[str, Any]]:
        """What the other ranks saw. Raises RuntimeError where one does not answer."""
        keys = [f"rank{rank}" for rank in range(1, self.size)]
        self._store.wait(keys, timedelta(seconds=WAIT))
        return [json.loads(self._store.get(key)) for key in keys]


def seen_by_rank(scene: Scene, crashed: str | None = None) -> dict[str, Any]:
    """What one rank tells of its loop: its first samples, and some values of its parameters before and after."""
    samples, batches = scene.train_samples, []
    if samples is not None:
        digests = samples.digests()
        for size in samples.sizes[:BATCHES]:
            batches.append(digests[:size])
            digests = digests[size:]
    order = scene.train.order.get(1, []) if scene.train else []
    first, change = {}, {}
    if scene.model is not None and not _sharded(scene.model):
        for name, parameter in scene.model.named_parameters():
            before = scene.state.initial.get(name)
            if before is not None:
                first[name] = _some(before)
                change[name] = _some(parameter.detach() - before)
    return {
        "crashed": crashed,
        "steps": scene.steps(),
        "batches": batches,
        "targets": [float(value) for part in order for value in part.flatten().tolist()],
        "first": first,
        "change": change,
    }


def compared(scene: Scene, ranks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The ranks against each other, in the form of the measurement; the first of `ranks` is rank 0."""
    sampler = getattr(scene.train.loader, "sampler", None) if scene.train else None
    return {
        "ranks": len(ranks),
        "batches": _batches(ranks[0], ranks[1:]),
        "parameters": _parameters(ranks),
        "batch_norm": _batch_norm(scene),
        "sampler": (
            {"shuffle": bool(sampler.shuffle), "epoch": int(sampler.epoch), "passes": scene.train.passes}
            if scene.train is not None and isinstance(sampler, DistributedSampler)
            else None
        ),
        "wrapped": all(call.synchronised for call in scene.training),
        "location": scene.training[0].where if scene.training else None,
    }


def _sharded(model: nn.Module) -> bool:
    """Whether a rank holds parts of the parameters only, so that ranks differ by design."""
    types = {type(value).__name__ for value in model.parameters()} | {type(part).__name__ for part in model.modules()}
    return bool(types & {"DTensor", "FlatParameter", "FullyShardedDataParallel"})


def _some(tensor: Tensor) -> list[float]:
    values = tensor.detach().flatten()
    return values[:: max(1, -(-len(values) // VALUES))].double().tolist()


def _batches(lead: dict[str, Any], others: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """How many of rank 0's samples stand in the same batch of another rank."""
    total = sum(map(len, lead["batches"]))
    return {"samples": total, "same": max(_same(lead, other) for other in others)} if total else None


def _same(lead: dict[str, Any], other: dict[str, Any]) -> float:
    targets = lead["targets"]
    if targets == other["targets"] and len(targets) >= 32 and len(set(targets)) > 1:
        return 1.0  # the same samples, though augmentation may have changed them
    pairs = list(zip(lead["batches"], other["batches"], strict=False))
    total = sum(len(mine) for mine, _ in pairs)
    return sum(len(set(mine) & set(theirs)) for mine, theirs in pairs) / total if total else 0.0


def _parameters(ranks: Sequence[dict[str, Any]]) -> dict[str, float] | None:
    first = _distance([rank["first"] for rank in ranks])
    change = _distance([rank["change"] for rank in ranks])
    together = all(rank["steps"] == ranks[0]["steps"] for rank in ranks)
    return None if first is None or change is None or not together else {"first": first, "change": change}


def _distance(ranks: Sequence[dict[str, list[float]]]) -> float | None:
    """Largest distance of a rank's values from rank 0's, relative to the larger of their norms; None without values."""
    if any(set(rank) != set(ranks[0]) or not rank for rank in ranks):
        return None
    vectors = [torch.tensor([v for name in sorted(rank) for v in rank[name]], dtype=torch.float64) for rank in ranks]
    largest = max(float(vector.norm()) for vector in vectors)
    return max(float((vector - vectors[0]).norm()) for vector in vectors) / largest if largest else 0.0


def _batch_norm(scene: Scene) -> dict[str, Any] | None:
    """The first batch norm that trains on one rank's samples alone, and how many these are."""
    sizes = sorted(scene.train_samples.sizes) if scene.train_samples is not None else []
    for name, part in scene.model.named_modules() if scene.model is not None and sizes else ():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and not isinstance(part, nn.SyncBatchNorm):
            return {"module": name, "samples": sizes[len(sizes) // 2]}
    return None
