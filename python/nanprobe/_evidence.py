"""What was recorded, as the measurement `training-loop` of the schema nanprobe.evidence/1."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import RandomSampler, SequentialSampler, SubsetRandomSampler, WeightedRandomSampler

from . import _samples
from ._record import Recorder
from ._seen import Forward, Loader, Model, Optim
from ._tensors import answers, classes_of, unwrapped

ELEMENTWISE = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")


class Scene:
    """The objects that a recorded loop turned out to be about. What the user gave wins over what was discovered."""

    def __init__(
        self,
        recorder: Recorder,
        watched: bool,
        model: nn.Module | None = None,
        optimizer: Any = None,
        train_loader: Any = None,
        val_loader: Any = None,
    ) -> None:
        self.recorder, self.watched = recorder, watched
        calls = recorder.forwards
        followed = any(call.backward for call in calls)
        first = next((call.loader for call in calls if call.grad), None)
        training = [call for call in calls if (call.backward if followed else call.grad and call.loader is first)]
        seen = Counter(call.root for call in training if call.scored) or Counter(c.root for c in training)
        best = max(seen, key=lambda root: (seen[root], sum(p.numel() for p in root.parameters())), default=None)
        self.model = unwrapped(model) if model is not None else best
        self.training = [call for call in training if call.root is self.model]
        mine = set(self.training)
        rest = [call for call in calls if call.root is self.model and call not in mine]
        self.train = _named(recorder, train_loader) or _usual(self.training)
        self.evaluation = [call for call in rest if call.loader is None or call.loader is not self.train]
        self.val = _named(recorder, val_loader) or _usual(self.evaluation)
        self.state = recorder.models.get(self.model) or Model(self.model, {})
        self.composite = bool(self.training) and self.training[0].connected
        own = {id(p) for p in self.model.parameters()} if self.model is not None else set()
        optims = list(recorder.optims.values())
        if optimizer is not None:
            optims = [o for o in optims if o.optimizer is optimizer] or [Optim(optimizer)]
        stepped = [o for o in optims if o.steps] or optims
        holders = [o for o in stepped if own & {id(p) for p in o.parameters()}]
        self.holders = holders or sorted(stepped, key=lambda o: -o.steps)[:1]
        self.train_samples = _samples.gather(self.training, _samples.MAX_TRAIN)
        self.reordered = reordered(self.train)
        if self.train_samples is not None and self.train is None:
            self.reordered = _samples.reordered(self.train_samples)
            self.train_samples = _samples.without_repeats(self.train_samples, set(), keep_known=False)
        self.held_out = self._held_out()
        self.criterion_exports = True
        self.evaluated: dict[str, Any] | None = None
        self.ranks: dict[str, Any] | None = None

    def spread(self) -> None:
        """Takes the training samples from all over a loader that keeps its order, where that can be done."""
        if self.train is not None and self.train_samples is not None and self.reordered is False:
            found = _samples.spread_over(self.train.loader, self.train_samples, _samples.MAX_TRAIN)
            self.train_samples = found or self.train_samples

    def _held_out(self) -> _samples.Samples | None:
        found = _samples.gather(self.evaluation, 10 * _samples.MAX_HELD_OUT)
        if found is None or self.train_samples is None:
            return None
        try:
            found.targets = _samples.like(found.targets, self.train_samples.targets)
        except RuntimeError:  # the target of an evaluation was not where the training has it
            return None
        known = set(self.train_samples.digests())
        fresh = _samples.without_repeats(found, known, keep_known=False)
        # A loop without loaders that also scores its training tensors: those are no held-out samples.
        if self.val is not None or len(fresh.targets) < 20:
            fresh = _samples.without_repeats(found, known, keep_known=True)
        limit = min(len(fresh.targets), _samples.MAX_HELD_OUT)
        return fresh.take(list(range(limit)), fresh.sizes)

    def steps(self) -> int:
        """Updates of the parameters: of an optimizer, or by the loop itself after its backward passes."""
        stepped = max((optim.steps for optim in self.holders), default=0)
        by_hand = (
            not stepped and self.watched and self.model is not None and self.changed(self.model.named_parameters())
        )
        return self.state.backwards if by_hand else stepped

    def changed(self, named: Iterable[tuple[str, Tensor]]) -> float:
        """Share of the parameters that are not what they were before the first call, 0..1."""
        before = self.state.initial
        pairs = [(before[name], value) for name, value in named if name in before]
        return sum(not torch.equal(old, new.detach()) for old, new in pairs) / len(pairs) if pairs else 0.0

    def names(self) -> dict[int, str]:
        return {} if self.model is None else {id(p): name for name, p in self.model.named_parameters()}

    def held(self) -> set[int]:
        """The tensors that the optimizers of this model hold, by identity."""
        return {id(parameter) for optim in self.holders for parameter in optim.parameters()}

    def probabilities(self) -> bool:
        """Whether the criterion takes probabilities, so that a single output is compared with a half."""
        criterion = self.state.criterion
        kinds = ("binary_cross_entropy", *ELEMENTWISE)
        return criterion is not None and criterion.function.__name__ in kinds and not criterion.between


def _named(recorder: Recorder, loader: Any) -> Loader | None:
    return None if loader is None else recorder.loaders.get(id(loader), Loader(loader))


def _usual(calls: list[Forward]) -> Loader | None:
    loaders = {id(call.loader): call.loader for call in calls if call.loader is not None}
    usual = Counter(id(call.loader) for call in calls if call.loader is not None).most_common(1)
    return loaders[usual[0][0]] if usual else None


def reordered(record: Loader | None) -> bool | None:
    """Whether a second pass over a loader gives another order; None where that is not known."""
    first, second = (record.order.get(i) if record else None for i in (1, 2))
    sampler = getattr(record.loader, "sampler", None) if record else None
    if isinstance(sampler, (RandomSampler, SubsetRandomSampler, WeightedRandomSampler)):
        return True
    if type(sampler) is SequentialSampler:
        return False
    if not first or not second:
        return None
    a, b = (torch.cat(part[: min(len(first), len(second))]).cpu() for part in (first, second))
    # Targets in the same order tell only where they are not all alike.
    return None if len(a.unique()) < 2 else not (a.shape == b.shape and torch.equal(a, b))


def training_loop(scene: Scene, export_error: dict[str, Any] | None) -> dict[str, Any]:
    """The value of the measurement."""
    r, state, watched = scene.recorder, scene.state, scene.watched
    losses = state.losses or state.criterion_losses
    empty = sum(optim.empty for optim in scene.holders)
    return {
        "watched": watched,
        "batches": (scene.train.drawn if scene.train else len(scene.training)) if watched else 0,
        "forwards": sum(call.grad for call in scene.training) if watched else 0,
        "backwards": state.backwards,
        "steps": scene.steps(),
        "remade": _remade(scene) if watched else 0,
        "unregistered": _unregistered(scene),
        "other_evaluated": _other_evaluated(scene),
        "uncleared": sum(optim.uncleared for optim in scene.holders),
        "empty_steps": empty,
        "losses": [float(loss) for loss in losses] if watched else [],
        "changed_share": _changed_share(scene) if watched else None,
        "loss_location": r.places.get("loss") or (state.criterion.where if state.criterion and watched else None),
        "step_location": r.places.get("step"),
        "clear_location": r.clear_location if empty else None,
        "modes": _modes(scene) if watched else None,
        "optimizer": _optimizer(scene),
        "gradients": _gradients(scene) if state.backwards else None,
        "schedule": _schedule(scene),
        "criterion": _criterion(scene),
        "metric": _metric(scene),
        "validation": _validation(scene),
        "loader": _loader(scene.train),
        "evaluated": scene.evaluated,
        "distributed": scene.ranks,
        "export_error": export_error,
    }


def _changed_share(scene: Scene) -> float | None:
    held = scene.held()
    named = [] if scene.model is None else [(n, p) for n, p in scene.model.named_parameters() if p.requires_grad]
    trained = [(n, p) for n, p in named if id(p) in held or not scene.holders]
    return scene.changed(trained) if trained else None


def _remade(scene: Scene) -> int:
    """How many models like this one were trained in turn, each for one pass over the same loader."""
    blocks: list[tuple[nn.Module, set[int]]] = []
    for call in scene.recorder.forwards:
        if call.backward and call.loader is not None and call.loader is scene.train:
            if not blocks or blocks[-1][0] is not call.root:
                blocks.append((call.root, set()))
            blocks[-1][1].add(call.number)
    forms = {(type(root), tuple(p.shape for p in root.parameters())) for root, _ in blocks}
    once = len({root for root, _ in blocks}) == len(blocks) and all(len(passes) == 1 for _, passes in blocks)
    return len(blocks) if once and len(forms) == 1 else 0


def _unregistered(scene: Scene) -> dict[str, Any] | None:
    """Parameters that the loss depends on, and that neither a module nor an optimizer holds."""
    owners = [*scene.recorder.models, *(s.criterion.module for s in scene.recorder.models.values() if s.criterion)]
    known = {id(p) for owner in owners if owner is not None for p in owner.parameters()}
    known |= {id(p) for optim in scene.recorder.optims.values() for p in optim.parameters()}
    stray = [leaf for leaf in scene.state.leaves if id(leaf) not in known]
    return {"tensors": len(stray), "values": sum(leaf.numel() for leaf in stray)} if stray else None


def _other_evaluated(scene: Scene) -> dict[str, Any] | None:
    """An evaluation of another module than the one that is trained, with the accuracy of its answers."""
    found = scene.recorder.metric
    if found is None or found.get("root") in (None, scene.model):
        return None
    right = _right(scene, found["answers"])
    return None if right is None else {"accuracy": float(torch.cat(right).mean()), "location": found["location"]}


def _right(scene: Scene, given: list[tuple[Tensor, Tensor]]) -> list[Tensor] | None:
    """Which answers of each batch are right, as 0 and 1."""
    probable = scene.probabilities()
    pairs = [(answers(logits, probable).cpu(), classes_of(target).cpu()) for logits, target in given]
    return [(answer == true).double() for answer, true in pairs if answer.shape == true.shape] or None


def _modes(scene: Scene) -> dict[str, Any] | None:
    training, evaluation = scene.training, scene.evaluation
    if not training:
        return None
    odd = [call for call in training if not call.training] or training
    wrong = [call for call in evaluation if call.training] or evaluation
    return {
        "training_forwards": len(training),
        "training_in_eval": sum(not call.training for call in training),
        "evaluation_forwards": len(evaluation),
        "evaluation_in_train": sum(call.training for call in evaluation),
        "training_location": odd[0].where,
        "evaluation_location": wrong[0].where if wrong else None,
    }


def _optimizer(scene: Scene) -> dict[str, Any] | None:
    if not scene.holders or scene.model is None:
        return None
    names, held = scene.names(), scene.held()
    lacks = [p for p in scene.model.parameters() if p.requires_grad and id(p) not in held]
    # A tensor that gets gradients takes part in the training, whoever it belongs to.
    foreign = [
        p
        for optim in scene.holders
        for p in optim.parameters()
        if id(p) not in names and p.grad is None and id(p) not in optim.with_gradient
    ]
    kind = type(scene.holders[0].optimizer)
    return {
        "class": f"{kind.__module__}.{kind.__qualname__}",
        "tensors": len(held),
        "model_tensors": len(names),
        "missing": [names[id(p)] for p in lacks],
        "missing_values": sum(p.numel() for p in lacks),
        "model_values": sum(p.numel() for p in scene.model.parameters()),
        "foreign": len(foreign),
        "foreign_values": sum(p.numel() for p in foreign),
        "location": scene.holders[0].where,
    }


def _gradients(scene: Scene) -> dict[str, Any] | None:
    r, state, held = scene.recorder, scene.state, scene.held()
    named = scene.model.named_parameters() if scene.model is not None else ()
    wanted = [n for n, p in named if p.requires_grad and (id(p) in held or not held)]
    clip = None
    if r.clips:
        clip = {
            "max_norm": statistics.median(limit for limit, _, _ in r.clips),
            "clipped": sum(float(norm) > limit for limit, norm, _ in r.clips),
            "location": r.clips[0][2],
        }
    norms = [float(norm) for norm in state.norms if math.isfinite(float(norm))]
    return {
        "without": [name for name in wanted if name not in state.reached],
        "parameters": len(wanted),
        "median_norm": statistics.median(norms) if norms else (math.nan if state.norms else 0.0),
        "clip": clip,
        "precision": state.precision,
        "scaled": r.scaler is not None,
        "scaler_steps": r.scaler_steps,
        "zero_share": statistics.median(float(share) for share in state.zero_shares) if state.zero_shares else 0.0,
    }


def _schedule(scene: Scene) -> dict[str, Any] | None:
    rates = scene.holders[0].rates if scene.holders else []
    if scene.recorder.schedule is None or not rates:
        return None
    return {**scene.recorder.schedule, "first": rates[0], "last": rates[-1]}


def _criterion(scene: Scene) -> dict[str, Any] | None:
    found = scene.state.criterion
    if found is None:
        return None
    broadcast = found.function.__name__ in ELEMENTWISE and found.outputs != found.targets
    return {
        "class": found.name,
        "outputs": found.outputs,
        "targets": found.targets,
        "targets_dtype": found.dtype,
        "broadcast": broadcast,
        "between": found.between,
        "detached": found.detached or scene.state.detached > 0,
        "location": found.where if found.detached else scene.state.detached_at or found.where,
    }


def _metric(scene: Scene) -> dict[str, Any] | None:
    """The accuracy in the user's variable against that of the outputs of the evaluation it stands for."""
    found = scene.recorder.metric
    if found is None or "answers" not in found:
        return found
    batches = _right(scene, found["answers"])
    if batches is None:
        return None
    right = torch.cat(batches)
    # A variable may hold percent, or the accuracy of the last batch: the reading that fits best is taken.
    readings = [found["value"], found["value"] / 100] if found["value"] > 1 else [found["value"]]
    fits = [(reading, float(truth)) for reading in readings for truth in (right.mean(), batches[-1].mean())]
    reported, recomputed = min(fits, key=lambda pair: abs(pair[0] - pair[1]))
    return {"reported": reported, "recomputed": recomputed, "samples": len(right), "location": found["location"]}


def _validation(scene: Scene) -> dict[str, Any] | None:
    train, held_out = scene.train_samples, scene.held_out
    if train is None or held_out is None:
        return None
    known = set(train.digests())
    repeated = sum(digest in known for digest in held_out.digests())
    sets = [getattr(record.loader, "dataset", None) if record else None for record in (scene.train, scene.val)]
    if sets[0] is not None and sets[1] is not None:
        repeated = max(repeated, round(_samples.overlap(*sets) * len(held_out.targets)))
    where = scene.val.where if scene.val else None
    return {
        "samples": len(held_out.targets),
        "repeated": repeated,
        "train": _samples.moments(train.inputs[0]),
        "held_out": _samples.moments(held_out.inputs[0]),
        "location": where or next((call.where for call in scene.evaluation), None),
    }


def _loader(record: Loader | None) -> dict[str, Any] | None:
    if record is None:
        return None
    kind = type(record.loader)
    return {
        "class": f"{kind.__module__}.{kind.__qualname__}",
        "reordered": reordered(record),
        "workers": getattr(record.loader, "num_workers", 0),
        "passes": record.passes,
        "empty_passes": record.empty,
        "drop_last": bool(getattr(record.loader, "drop_last", False)),
        "location": record.where,
    }


def plain(value: Any) -> Any:
    """The value as JSON can hold it: what is not finite as a string."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value.tolist() if isinstance(value, Tensor) else value
