"""Nothing of the user's is changed: by a capture, by watching, or by a loop that raises."""

import copy
import random

import pytest
import torch
from conftest import data, loader, net, train
from torch import nn
from torch.utils.data import DataLoader

import nanprobe


def state(model, optimizer):
    return (
        {name: value.clone() for name, value in model.state_dict().items()},
        [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        [p.requires_grad for p in model.parameters()],
        [module.training for module in model.modules()],
        copy.deepcopy(optimizer.state_dict()),
    )


def equal(a, b) -> bool:
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b


@pytest.mark.parametrize("workers", [0, 2])
def test_a_capture_leaves_everything_as_it_was(tmp_path, workers):
    generator = torch.Generator().manual_seed(5)
    batches = loader(num_workers=workers, generator=generator, persistent_workers=workers > 0)
    held_out = DataLoader(data(seed=1), batch_size=30)
    model, loss_fn = net(), nn.CrossEntropyLoss()
    model[0].bias.requires_grad_(False)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    train(model, batches, optimizer, loss_fn)
    model.eval()
    model[1].train()
    before = state(model, optimizer)
    numpy = pytest.importorskip("numpy")
    rng = (random.getstate(), torch.get_rng_state(), generator.get_state(), numpy.random.get_state()[1].copy())
    nanprobe.capture(model, batches, loss_fn, optimizer, held_out, folder=tmp_path)
    assert equal(state(model, optimizer), before)
    assert random.getstate() == rng[0]
    assert torch.equal(torch.get_rng_state(), rng[1])
    assert torch.equal(generator.get_state(), rng[2])
    assert (numpy.random.get_state()[1] == rng[3]).all()
    assert model[0].weight.grad is not None


def test_gradients_that_are_none_stay_none(tmp_path):
    model = net()
    nanprobe.capture(model, loader(), nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters(), 0.1), folder=tmp_path)
    assert all(p.grad is None for p in model.parameters())


def run(watched: bool):
    torch.manual_seed(3)
    random.seed(3)
    model, batches = net(), loader()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.9)
    with nanprobe.watch() if watched else torch.enable_grad():
        losses = []
        for _ in range(3):
            losses += train(model, batches, optimizer, nn.CrossEntropyLoss())
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scheduler.step()
            model.eval()
            with torch.no_grad():
                losses += [nn.functional.cross_entropy(model(x), y).item() for x, y in batches]
    return losses, model.state_dict(), optimizer.state_dict(), torch.get_rng_state()


def test_a_watched_training_is_the_same_bit_for_bit():
    assert equal(run(watched=True), run(watched=False))


def entry_points():
    from torch.utils.data import dataloader

    owners = (torch.autograd, torch.optim.Optimizer, nn.Module, nn.functional, nn.utils, nn.utils.clip_grad, DataLoader)
    return [dict(vars(owner)) for owner in (*owners, dataloader._BaseDataLoaderIter)]


def test_the_hooks_are_gone_when_the_loop_raises():
    before = entry_points()
    from torch.optim import optimizer

    hooks = torch.nn.modules.module
    with pytest.raises(ZeroDivisionError), nanprobe.watch():
        train(net(), loader(), torch.optim.SGD(net().parameters(), 0.1), nn.CrossEntropyLoss())
        raise ZeroDivisionError
    assert all(old == new for old, new in zip(before, entry_points(), strict=True))
    assert not hooks._global_forward_hooks
    assert not hooks._global_forward_pre_hooks
    assert not optimizer._global_optimizer_post_hooks


def test_a_function_taken_while_watching_still_works_afterwards():
    with nanprobe.watch() as watching:
        taken = nn.functional.cross_entropy
    assert taken(torch.zeros(2, 2), torch.tensor([0, 1])).item() == pytest.approx(0.6931, abs=1e-3)
    assert not watching.recorder.problems
