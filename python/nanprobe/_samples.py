"""The samples that the loop gave its model, in the form that the engine reads."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import SequentialSampler, Subset

from ._seen import Forward
from ._tensors import leaves, storable

MAX_TRAIN, MAX_HELD_OUT = 1500, 600


@dataclass
class Samples:
    """inputs: each [N, ...]; targets [N] or [N, C]; the sizes of the batches."""

    inputs: list[Tensor]
    targets: Tensor
    sizes: list[int]

    def digests(self) -> list[int]:
        """One number a sample; equal for equal inputs, whatever their labels."""
        rows = [tensor.contiguous() for tensor in self.inputs]
        return [_digest([tensor[i] for tensor in rows]) for i in range(len(self.targets))]

    def take(self, chosen: list[int], sizes: list[int]) -> Samples:
        index = torch.tensor(chosen, dtype=torch.long)
        return Samples([tensor[index] for tensor in self.inputs], self.targets[index], sizes)


def gather(calls: Sequence[Forward], limit: int) -> Samples | None:
    """Joins the batches of forward passes that have inputs and a target; None where there are none."""
    pairs = [(call.inputs, call.target) for call in calls if call.inputs is not None and call.target is not None]
    found = [(given, target) for given, target in pairs if target.dim() and len(target) == len(given[0])]
    if not found:
        return None
    shapes = Counter(tuple(tensor.dim() for tensor in given) for given, _ in found)
    usual = shapes.most_common(1)[0][0]
    found = [(given, target) for given, target in found if tuple(tensor.dim() for tensor in given) == usual]
    inputs = [_join([given[i] for given, _ in found]) for i in range(len(usual))]
    targets = torch.cat([_same_rank(target, found[0][1]).cpu() for _, target in found])
    samples = Samples(inputs, targets, [len(target) for _, target in found])
    return samples.take(list(range(min(limit, len(targets)))), samples.sizes)


def without_repeats(samples: Samples, known: set[int], keep_known: bool) -> Samples:
    """Each sample once, for loops that pass over the same tensors again; those in `known` only where `keep_known`."""
    seen: set[int] = set() if keep_known else set(known)
    chosen = []
    for i, digest in enumerate(samples.digests()):
        if digest not in seen:
            seen.add(digest)
            chosen.append(i)
    return samples.take(chosen, samples.sizes)


def reordered(samples: Samples) -> bool | None:
    """Whether a second pass over samples that no loader gives has another order; None before there is one."""
    digests = samples.digests()
    again = next((i for i in range(1, len(digests)) if digests[i] == digests[0]), None)
    if again is None or len(digests) - again < 32:
        return None
    return digests[again : again + 32] != digests[:32]


def like(targets: Tensor, model: Tensor) -> Tensor:
    """Held-out targets in the form in which the training targets reached the criterion."""
    if model.dim() == 2 and model.shape[1] > 1 and targets.dim() == 1:
        return torch.nn.functional.one_hot(targets.long(), model.shape[1]).to(model.dtype)
    if targets.numel() == len(targets):
        targets = targets.reshape(len(targets), *model.shape[1:])
    return targets.to(model.dtype)


def spread_over(loader: Any, samples: Samples, limit: int) -> Samples | None:
    """Batches from all over a loader that keeps its order, in the form of the samples that the loop took from it.

    A sorted data set begins with one class. None where the whole was seen, or where it cannot be told which parts of a
    batch reached the model as they were.
    """
    dataset: Any = getattr(loader, "dataset", None)
    size = getattr(loader, "batch_size", None)
    whole = hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")
    if not size or not whole or type(getattr(loader, "sampler", None)) is not SequentialSampler:
        return None
    if len(dataset) <= len(samples.targets):
        return None

    def batch(number: int) -> list[Tensor]:
        items = range(number * size, min(len(dataset), (number + 1) * size))
        return [leaf for _, leaf in leaves(loader.collate_fn([dataset[i] for i in items]))]

    first = batch(0)
    wanted = [*samples.inputs, samples.targets]
    forms = [_as_given] * len(samples.inputs) + [like]
    known = [_place(first, form, tensor) for form, tensor in zip(forms, wanted, strict=True)]
    places = [place for place in known if place is not None]
    if len(places) < len(known):
        return None
    total = len(dataset) // size
    count = min(total, max(2, limit // size))
    batches = [batch(i * total // count) for i in range(count)]
    found = [torch.cat([form(part[place], tensor) for part in batches])
             for place, form, tensor in zip(places, forms, wanted, strict=True)]  # fmt: skip
    return Samples(found[:-1], found[-1], [size] * count)


def _as_given(leaf: Tensor, model: Tensor) -> Tensor:
    """A batch's entry in the shape and type in which it reached the model."""
    return storable(leaf).reshape(len(leaf), *model.shape[1:]).to(model.dtype)


def _place(batch: list[Tensor], form: Any, tensor: Tensor) -> int | None:
    """Which entry of the first batch is the beginning of what was recorded."""
    for place, leaf in enumerate(batch):
        with contextlib.suppress(RuntimeError, ValueError):
            if leaf.dim() and torch.equal(form(leaf, tensor), tensor[: len(leaf)]):
                return place
    return None


def moments(tensor: Tensor) -> dict[str, Any]:
    """Shape of a sample, dtype, and moments over all values."""
    values = tensor.double()
    found = (
        [values.mean(), values.std(unbiased=False), values.min(), values.max()] if tensor.numel() else [math.nan] * 4
    )
    return {
        "shape": list(tensor.shape[1:]),
        "dtype": str(tensor.dtype).removeprefix("torch."),
        **dict(zip(("mean", "std", "min", "max"), map(float, found), strict=True)),
    }


def overlap(train: Any, held_out: Any) -> float:
    """Share of a held-out data set's samples that the training set holds too, where both are parts of one data set."""
    (base, mine), (other, theirs) = _indices(train), _indices(held_out)
    if base is not other or not theirs:
        return 0.0
    return len(set(mine) & set(theirs)) / len(set(theirs))


def _indices(dataset: Any) -> tuple[Any, Sequence[int]]:
    if isinstance(dataset, Subset):
        base, inner = _indices(dataset.dataset)
        return base, [inner[int(i)] for i in dataset.indices]
    return dataset, range(len(dataset)) if hasattr(dataset, "__len__") else ()


def _join(batches: list[Tensor]) -> Tensor:
    """Batches one after the other; token ids padded with zeros to the longest."""
    batches = [storable(batch.cpu()) for batch in batches]
    if batches[0].dim() == 2 and not batches[0].is_floating_point():
        longest = max(batch.shape[1] for batch in batches)
        batches = [torch.nn.functional.pad(batch, (0, longest - batch.shape[1])) for batch in batches]
    return torch.cat(batches)


def _same_rank(targets: Tensor, first: Tensor) -> Tensor:
    return targets if targets.dim() == first.dim() else targets.reshape(len(targets), *first.shape[1:])


def _digest(rows: Sequence[Tensor]) -> int:
    """The same in every process, as Python's own hash is not."""
    digest = hashlib.blake2b(digest_size=8)
    for row in rows:
        digest.update(ctypes.string_at(row.data_ptr(), row.nbytes))
    return int.from_bytes(digest.digest(), "little")
