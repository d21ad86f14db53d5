"""Writes a model exported with its criterion, and batches for it: `batches.py CASE FOLDER`."""

import json
import sys

import torch
from safetensors.torch import save_file
from torch import nn

SAMPLES, TRAIN = 1400, 1000
FEATURES, VOCABULARY, TOKENS = 12, 500, 20


class Table(nn.Module):
    def __init__(self, outputs, function=None):
        super().__init__()
        self.fc1 = nn.Linear(FEATURES, 64)
        self.fc2 = nn.Linear(64, outputs)
        self.function = function or nn.Identity()

    def forward(self, x):
        return self.function(self.fc2(torch.relu(self.fc1(x))))


class Text(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 32)
        self.rnn = nn.GRU(32, 32, batch_first=True)
        self.fc = nn.Linear(32, 3)

    def forward(self, ids):
        states, _ = self.rnn(self.embedding(ids))
        return self.fc(states.mean(1))


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.EmbeddingBag(VOCABULARY, 16)
        self.fc1 = nn.Linear(FEATURES, 16)
        self.fc2 = nn.Linear(32, 2)

    def forward(self, ids, x):
        return self.fc2(torch.cat([self.embedding(ids), torch.relu(self.fc1(x))], 1))


class Focal(nn.Module):
    def forward(self, outputs, targets):
        log = torch.log_softmax(outputs, 1).gather(1, targets[:, None]).squeeze(1)
        return (-((1 - log.exp()) ** 2) * log).mean()


class WithLoss(nn.Module):
    def __init__(self, model, criterion):
        super().__init__()
        self.model = model
        self.criterion = criterion

    def forward(self, *inputs_and_targets):
        *inputs, targets = inputs_and_targets
        outputs = self.model(*inputs)
        return outputs, self.criterion(outputs, targets)


def case(name):
    """Model, criterion, inputs, targets."""
    x = torch.randn(SAMPLES, FEATURES)
    y = (x @ torch.randn(FEATURES) + 0.3 * torch.randn(SAMPLES) > 0).long()
    ids = torch.randint(1, VOCABULARY, (SAMPLES, TOKENS))
    if name == "smoothed":
        return Table(2), nn.CrossEntropyLoss(label_smoothing=0.1), [x], y
    if name == "raw":
        return Table(2), nn.CrossEntropyLoss(), [x * torch.logspace(-1, 3, FEATURES) + torch.linspace(0, 500, FEATURES)], y
    if name == "sigmoid-twice":
        return Table(1, nn.Sigmoid()), nn.BCEWithLogitsLoss(), [x], y.float().unsqueeze(1)
    if name == "column":
        return Table(1, nn.Sigmoid()), nn.BCELoss(), [x], y.float().unsqueeze(1)
    if name == "broadcast":
        return Table(1), nn.MSELoss(), [x], y.float()
    if name == "focal":
        return Table(2), Focal(), [x], y
    if name == "two-inputs":
        return Two(), nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0])), [ids, x], y
    if name == "tokens":
        y = torch.randint(0, 3, (SAMPLES,))
        for place in (5, 9, 15):
            ids[:, place] = 10 * y + torch.randint(1, 10, (SAMPLES,))
        return Text(), nn.CrossEntropyLoss(), [ids], y
    raise SystemExit(f"no case {name}")


def main():
    name, folder = sys.argv[1:]
    torch.manual_seed(0)
    model, criterion, inputs, targets = case(name)
    few = (*(x[:8] for x in inputs), targets[:8])
    batch = tuple({0: torch.export.Dim.AUTO} for _ in few)
    program = torch.export.export(WithLoss(model, criterion), few, dynamic_shapes=(batch,))
    torch.export.save(program, f"{folder}/model.pt2")
    names = ["inputs"] if len(inputs) == 1 else [f"inputs.{i}" for i in range(len(inputs))]
    whole = dict(zip(names, inputs)) | {"targets": targets}
    parts = {key: value[:TRAIN].contiguous() for key, value in whole.items()}
    parts |= {f"held_out.{key}": value[TRAIN:].contiguous() for key, value in whole.items()}
    classes = [f"class {i}" for i in range(int(targets.max()) + 1)]
    save_file(parts, f"{folder}/batches.safetensors", metadata={"classes": json.dumps(classes)})


main()
