"""Kinds of loops, batches and models: what is found without being told."""

from pathlib import Path

import pytest
import torch
from conftest import EXPORTS, data, loader, net, read_safetensors, train
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

import nanprobe


def captured(watching, folder):
    value = watching.capture(folder)
    assert not watching.recorder.problems
    if EXPORTS:
        assert value["export_error"] is None
        torch.export.load(folder / "model.pt2")
    return value, read_safetensors(folder / "batches.safetensors"), (folder / "nanprobe.toml").read_text()


class Several(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.fc = nn.Embedding(50, 8), nn.Linear(8 + 6, 3)

    def forward(self, ids, x, scale=1.0):
        return self.fc(torch.cat([self.embed(ids).mean(1), x], 1)) * scale


def test_dictionary_batches_with_several_inputs(tmp_path):
    x, y = data().tensors
    rows = [{"ids": torch.randint(0, 50, (7,)), "x": x[i], "label": y[i]} for i in range(len(x))]
    model = Several()
    optimizer = torch.optim.AdamW([{"params": model.embed.parameters(), "lr": 1e-1}, {"params": model.fc.parameters()}])
    with nanprobe.watch() as watching:
        for batch in DataLoader(rows, batch_size=16, shuffle=True):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(batch["ids"], x=batch["x"], scale=2.0), batch["label"]).backward()
            optimizer.step()
    value, tensors, toml = captured(watching, tmp_path)
    assert tensors["inputs.0"] == ("I64", [120, 7])
    assert tensors["inputs.1"] == ("F32", [120, 6])
    assert tensors["targets"] == ("I64", [120])
    assert value["loader"]["reordered"] is True
    assert "lr = 0.1" in toml
    assert '"fc.weight" = 0.001' in toml


class Stream(IterableDataset):
    def __iter__(self):
        yield from zip(*data().tensors, strict=True)


def test_a_stream_in_the_same_order_twice(tmp_path):
    model = net()
    with nanprobe.watch() as watching:
        train(
            model,
            DataLoader(Stream(), batch_size=20),
            torch.optim.SGD(model.parameters(), 0.1),
            nn.CrossEntropyLoss(),
            2,
        )
    value, tensors, toml = captured(watching, tmp_path)
    assert value["loader"]["reordered"] is False
    assert "shuffle = false" in toml
    assert tensors["inputs"] == ("F32", [120, 6])
    assert value["batches"] == 12


def test_batches_that_no_loader_gives(tmp_path):
    x, y = data().tensors
    model = net(outputs=1)
    optimizer = torch.optim.RMSprop(model.parameters(), momentum=0.5)
    with nanprobe.watch() as watching:
        for _ in range(3):
            for i in range(0, 120, 30):
                loss = nn.BCEWithLogitsLoss()(model(x[i : i + 30]), (y[i : i + 30] > 0).float().unsqueeze(1))
                for p in model.parameters():
                    p.grad = None
                loss.backward()
                optimizer.step()
    value, tensors, toml = captured(watching, tmp_path)
    assert tensors["inputs"] == ("F32", [120, 6])
    assert tensors["targets"] == ("F32", [120, 1])
    assert 'loss = "bce-with-logits"' in toml
    assert "momentum = 0.5" in toml
    assert value["uncleared"] == 0


def test_gradients_cleared_to_zeros_are_cleared():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with nanprobe.watch() as watching:
        for x, y in loader():
            optimizer.zero_grad(set_to_none=False)
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
    assert next(iter(watching.recorder.optims.values())).uncleared == 0


def test_accumulated_gradients_are_no_fault(tmp_path):
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with nanprobe.watch() as watching:
        for step, (x, y) in enumerate(loader(batch_size=10)):
            (nn.functional.cross_entropy(model(x), y) / 3).backward()
            if step % 3 == 2:
                optimizer.step()
                optimizer.zero_grad()
    value, _, toml = captured(watching, tmp_path)
    assert (value["backwards"], value["steps"], value["uncleared"]) == (12, 4, 0)
    assert value["losses"][0] > 0.7, "the loss before it is divided"
    assert "batch-size = 30" in toml


def test_a_closure(tmp_path):
    model = nn.Linear(6, 3)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4)
    with nanprobe.watch() as watching:
        for x, y in loader():

            def closure(x=x, y=y):
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(model(x), y)
                loss.backward()
                return loss

            optimizer.step(closure)
    value, _, _ = captured(watching, tmp_path)
    assert value["steps"] == 6
    assert value["backwards"] > 6
    assert value["uncleared"] == value["empty_steps"] == 0


@pytest.mark.parametrize("wrap", [nn.DataParallel, lambda model: torch.compile(model, backend="eager")])
def test_wrapped_models_are_unwrapped(tmp_path, wrap):
    model = net()
    with nanprobe.watch() as watching:
        train(wrap(model), loader(), torch.optim.Adam(model.parameters()), nn.CrossEntropyLoss(), 2)
    value, _, toml = captured(watching, tmp_path)
    assert value["forwards"] == value["steps"] == 12
    assert value["optimizer"]["missing"] == value["gradients"]["without"] == []
    assert "trainable" not in toml


class Output:
    def __init__(self, loss, logits):
        self.loss, self.logits = loss, logits


class WithLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(6, 3)

    def forward(self, values, labels=None):
        logits = self.body(values)
        loss = None if labels is None else nn.functional.cross_entropy(logits.view(-1, 3), labels.view(-1))
        return Output(loss, logits)


def test_a_model_that_computes_its_own_loss(tmp_path):
    model = WithLoss()
    optimizer = torch.optim.AdamW(model.parameters())
    with nanprobe.watch() as watching:
        for x, y in loader():
            model(values=x, labels=y).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    value, tensors, toml = captured(watching, tmp_path)
    assert tensors == {"inputs": ("F32", [120, 6]), "targets": ("I64", [120])}
    assert 'loss = "cross-entropy"' in toml
    assert value["criterion"]["between"] is None


class Focal(nn.Module):
    def forward(self, logits, target):
        each = nn.functional.cross_entropy(logits, target, reduction="none")
        return ((1 - torch.exp(-each)) ** 2 * each).mean()


@pytest.mark.parametrize(
    "loss_fn",
    [Focal(), nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0])), nn.CrossEntropyLoss(label_smoothing=0.1)],
)
def test_a_criterion_of_ones_own_is_exported(tmp_path, loss_fn):
    model = net()
    with nanprobe.watch() as watching:
        train(model, loader(), torch.optim.Adam(model.parameters()), loss_fn)
    _, _, toml = captured(watching, tmp_path)
    if EXPORTS:
        assert 'loss = "exported"' in toml
        logits, loss = torch.export.load(tmp_path / "model.pt2").module()(torch.randn(9, 6), torch.randint(0, 3, (9,)))
        assert logits.shape == (9, 3)
        assert loss.shape == ()


def test_two_models_with_an_optimizer_each(tmp_path):
    judge, forger = nn.Linear(6, 1), nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 6))
    for_judge, for_forger = (torch.optim.Adam(model.parameters()) for model in (judge, forger))
    bce = nn.BCEWithLogitsLoss()
    with nanprobe.watch() as watching:
        for x, _ in loader():
            for_judge.zero_grad()
            fake = forger(torch.randn(len(x), 4))
            (bce(judge(x), torch.ones(len(x), 1)) + bce(judge(fake.detach()), torch.zeros(len(x), 1))).backward()
            for_judge.step()
            for_forger.zero_grad()
            bce(judge(fake), torch.ones(len(x), 1)).backward()
            for_forger.step()
    value = watching.capture(tmp_path)
    assert value["optimizer"]["foreign"] == value["uncleared"] == 0
    assert not watching.recorder.problems


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        if x.sum() > 0:
            return self.fc(x)
        return self.fc(-x)


def test_a_model_that_cannot_be_exported_says_why_and_where(tmp_path):
    model = Branching()
    with nanprobe.watch() as watching:
        train(model, loader(), torch.optim.SGD(model.parameters(), 0.1), nn.CrossEntropyLoss())
    error = watching.capture(tmp_path)["export_error"]
    assert not (tmp_path / "model.pt2").exists()
    if EXPORTS:
        assert "decides by the values of a tensor" in error["message"]
        assert error["location"]["file"].endswith("test_discovery.py")
        line = error["location"]["line"]
        assert "x.sum() > 0" in Path(__file__).read_text().splitlines()[line - 1]


def test_parts_called_one_after_another_are_named_as_the_reason(tmp_path):
    body, head = nn.Linear(6, 8), nn.Linear(8, 3)
    optimizer = torch.optim.SGD([*body.parameters(), *head.parameters()], 0.1)
    with nanprobe.watch() as watching:
        for x, y in loader():
            optimizer.zero_grad()
            nn.functional.cross_entropy(head(body(x).relu()), y).backward()
            optimizer.step()
    value = watching.capture(tmp_path)
    assert "several modules" in value["export_error"]["message"]
    assert value["optimizer"]["foreign"] == 0


def test_a_scaled_loss_in_half_precision(tmp_path):
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    scaler = torch.amp.GradScaler("cpu")
    with nanprobe.watch() as watching:
        for x, y in loader():
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = nn.functional.cross_entropy(model(x), y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
    value, _, _ = captured(watching, tmp_path)
    assert value["gradients"]["scaled"]
    assert value["gradients"]["precision"] == "bfloat16"
    assert value["losses"][0] < 3
    assert value["gradients"]["median_norm"] < 100


@pytest.mark.parametrize(
    ("apply", "name"),
    [
        (lambda z: z.softmax(1), "softmax"),
        (lambda z: nn.Softmax(dim=1)(z), "softmax"),
        (lambda z: z.log_softmax(-1), "log-softmax"),
        (lambda z: z.sigmoid().squeeze(), "sigmoid"),
        (lambda z: z.relu(), "relu"),
        (lambda z: z / 2.0, "other"),
        (lambda z: z.view(-1, 3), None),
    ],
)
def test_what_stands_between_model_and_criterion(tmp_path, apply, name):
    model = net()
    with nanprobe.watch() as watching:
        train(lambda_model := model, loader(), torch.optim.SGD(lambda_model.parameters(), 0.1),
              lambda z, y: nn.functional.cross_entropy(apply(z), y))  # fmt: skip
    value = watching.capture(tmp_path)
    assert value["criterion"]["between"] == name
    assert value["criterion"]["detached"] is False


def test_what_was_given_wins(tmp_path):
    main, other = net(), net()
    optimizers = [torch.optim.SGD(model.parameters(), 0.1) for model in (main, other)]
    batches = loader()
    with nanprobe.watch(main, optimizers[0], batches) as watching:
        train(other, loader(), optimizers[1], nn.CrossEntropyLoss(), 3)
        train(main, batches, optimizers[0], nn.CrossEntropyLoss())
    value, _, _ = captured(watching, tmp_path)
    assert value["steps"] == value["forwards"] == 6


def test_objects_alone(tmp_path):
    model = net()
    optimizer = torch.optim.SGD(model[0].parameters(), lr=0.2, momentum=0.9)
    held_out = DataLoader(data(seed=2), batch_size=40)
    value = nanprobe.capture(
        model, loader(), nn.CrossEntropyLoss(), optimizer, held_out, folder=tmp_path, metric=lambda z, y: 0.0
    )
    assert value["watched"] is False
    assert value["optimizer"]["missing"] == ["1.weight", "1.bias", "4.weight", "4.bias"]
    assert value["criterion"]["class"] == "torch.nn.modules.loss.CrossEntropyLoss"
    assert value["validation"]["samples"] == 120
    assert value["metric"]["reported"] == 0.0
    tensors = read_safetensors(tmp_path / "batches.safetensors")
    assert tensors["held_out.inputs"] == ("F32", [120, 6])
    assert 'trainable = ["0.weight", "0.bias"]' in (tmp_path / "nanprobe.toml").read_text()
    if EXPORTS:
        assert torch.export.load(tmp_path / "model.pt2").module()(torch.randn(5, 6)).shape == (5, 3)


def test_a_list_of_batches_is_a_loader_and_an_iterator_is_none(tmp_path):
    model, batches = net(), list(loader())
    value = nanprobe.capture(model, batches, nn.CrossEntropyLoss(), folder=tmp_path)
    assert value["loader"]["reordered"] is False
    with pytest.raises(ValueError, match="only once"):
        nanprobe.capture(model, iter(batches), nn.CrossEntropyLoss(), folder=tmp_path)


def test_updates_by_hand_are_steps_with_a_rate(tmp_path):
    model = nn.Linear(6, 3)
    with nanprobe.watch() as watching:
        for x, y in loader():
            model.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter -= 0.25 * parameter.grad
    value, _, toml = captured(watching, tmp_path)
    assert (value["steps"], value["changed_share"], value["optimizer"]) == (6, 1.0, None)
    assert float(next(line for line in toml.splitlines() if line.startswith("lr")).split("=")[1]) == pytest.approx(
        0.25, 1e-3
    )
    assert "step = false" not in toml


def test_batches_that_are_all_drawn_before_the_model_is_called_have_no_targets(tmp_path):
    model = nn.Linear(6, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    held_out = DataLoader(data(100, seed=1), batch_size=20)
    with nanprobe.watch() as watching:
        train(model, loader(), optimizer, nn.CrossEntropyLoss(), epochs=3)
        model.eval()
        with torch.no_grad():
            for x, _ in list(held_out):
                model(x)
    value, tensors, _ = captured(watching, tmp_path)
    # The last batch is the one that was drawn last.
    assert tensors["held_out.targets"] == ("I64", [20])
    assert value["evaluated"]["accuracy"] > 0.8


def test_a_running_count_is_no_accuracy(tmp_path):
    model = nn.Linear(6, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with nanprobe.watch() as watching:
        train(model, loader(), optimizer, nn.CrossEntropyLoss())
        acc = 0
        with torch.no_grad():
            for x, y in DataLoader(data(100, seed=1), batch_size=20):
                acc += (model(x).argmax(1) == y).sum().item()
        train(model, loader(), optimizer, nn.CrossEntropyLoss())
    value, _, _ = captured(watching, tmp_path)
    assert acc > 1 and value["metric"] is None


def test_a_criterion_of_ones_own_leaves_the_batch_to_say_what_the_targets_are(tmp_path):
    model = nn.Linear(6, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def criterion(logits, y):
        return -(nn.functional.one_hot(y, 3) * logits.log_softmax(-1)).sum(-1).mean()

    with nanprobe.watch() as watching:
        train(model, loader(), optimizer, criterion)
    value, tensors, toml = captured(watching, tmp_path)
    assert tensors["targets"] == ("I64", [120]) and value["criterion"] is None
    assert 'loss = "cross-entropy"' in toml


class Cut(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(6, 8), nn.Linear(8, 3)
        self.unregistered = [nn.Linear(8, 8)]

    def forward(self, x):
        return self.head(self.unregistered[0](self.body(x).data))


def test_data_is_exported_and_layers_in_a_list_are_seen(tmp_path):
    model = Cut()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with nanprobe.watch() as watching:
        train(model, loader(), optimizer, nn.CrossEntropyLoss())
    value, _, _ = captured(watching, tmp_path)
    assert value["unregistered"] == {"tensors": 2, "values": 72}
    assert value["gradients"]["without"] == ["body.weight", "body.bias"]


def test_a_model_for_each_epoch_and_a_copy_that_is_evaluated(tmp_path):
    batches = loader()
    with nanprobe.watch() as watching:
        for _ in range(3):
            model = nn.Linear(6, 3)
            train(model, batches, torch.optim.SGD(model.parameters(), lr=0.1), nn.CrossEntropyLoss())
        copy = nn.Linear(6, 3)
        right = 0
        with torch.no_grad():
            for x, y in DataLoader(data(100, seed=1), batch_size=20):
                right += (copy(x).argmax(1) == y).sum().item()
        val_acc = right / 100
    value, _, _ = captured(watching, tmp_path)
    assert value["remade"] == 3
    assert value["other_evaluated"]["accuracy"] == pytest.approx(val_acc)
