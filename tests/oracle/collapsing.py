"""Writes hand-written models with batches for them: FOLDER/CASE/model.pt2 and batches.safetensors of `collapsing.py FOLDER [--frozen]`.

In some all samples come to look alike; the line that does it carries a comment `planted: CASE`. The others are odd and sound. All can be learned
from their batches but for the mistake. `--frozen` freezes all parameters, as if the training did nothing.
"""

import sys
import warnings
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

SAMPLES, SIDE, TOKENS, VOCABULARY = 700, 16, 100, 50


class Pictures(nn.Module):
    """A small network on pictures [N, 1, 16, 16]."""

    def __init__(self, outputs=2):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, stride=2, padding=1)
        self.fc = nn.Linear(32 * 16, outputs)

    def features(self, x):
        return torch.relu(self.conv2(torch.relu(self.conv1(x)))).flatten(1)

    def forward(self, x):
        return self.fc(self.features(x))


class ZeroMask(Pictures):
    def forward(self, x):
        features = self.features(x)
        mask = (features > 1e6).float()
        features = features * mask  # planted: zero-mask
        return self.fc(features)


class IntegerPixels(Pictures):
    def forward(self, x):
        x = torch.div(x.clamp(-3, 3), 255, rounding_mode="trunc")  # planted: integer-pixels
        return super().forward(x)


class SingleSoftmax(Pictures):
    def __init__(self):
        super().__init__(1)

    def forward(self, x):
        score = torch.softmax(self.fc(self.features(x)), dim=1)  # planted: single-softmax
        return torch.cat([score, 1 - score], dim=1)


class NormOfOne(Pictures):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(1)
        self.fc = nn.Linear(1, 2)

    def forward(self, x):
        x = self.features(x).mean(1, keepdim=True)
        x = self.norm(x)  # planted: norm-of-one
        return self.fc(x)


class Clamped(Pictures):
    def forward(self, x):
        x = self.features(x)
        x = torch.clamp(x, min=50.0)  # planted: clamped
        return self.fc(x / 50)


class BatchMean(Pictures):
    def forward(self, x):
        x = self.features(x)
        x = x.mean(0, keepdim=True).expand_as(x)  # planted: batch-mean
        return self.fc(x)


class Twins(nn.Module):
    def __init__(self, mistake=True):
        super().__init__()
        self.mistake = mistake
        self.body = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 16))
        self.fc = nn.Linear(16, 2)

    def forward(self, a, b):
        left = self.body(a)
        right = self.body(a if self.mistake else b)
        x = (left - right).abs()  # planted: twins
        return self.fc(x)


class Last(nn.Module):
    """Token ids [N, 100]; behind the first few all are padding."""

    def __init__(self, kind=nn.LSTM, take="last"):
        super().__init__()
        self.take = take
        self.embedding = nn.Embedding(VOCABULARY, 16, padding_idx=0)
        self.rnn = kind(16, 32, batch_first=True)
        self.fc = nn.Linear(32, 2)

    def forward(self, ids):
        out, state = self.rnn(self.embedding(ids))  # planted: rnn
        if self.take == "mean":
            x = out.mean(1)
        elif self.take == "state":
            x = state[-1]
        elif self.take == "length":
            length = (ids != 0).sum(1) - 1
            x = out[torch.arange(ids.shape[0]), length]
        else:
            x = out[:, -1]  # planted: last-padding
        return self.fc(x)


class ClassToken(nn.Module):
    def __init__(self, mistake=True, zero_head=False):
        super().__init__()
        self.mistake = mistake
        self.embedding = nn.Conv2d(1, 32, 4, 4)
        self.token = nn.Parameter(0.02 * torch.randn(1, 1, 32))
        self.position = nn.Parameter(0.02 * torch.randn(1, 17, 32))
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(32)
        self.fc = nn.Linear(32, 2)
        if zero_head:
            nn.init.zeros_(self.fc.weight)
            nn.init.zeros_(self.fc.bias)

    def forward(self, x):
        patches = self.embedding(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(x.shape[0], -1, -1), patches], 1) + self.position
        encoded = self.encoder(tokens)
        if self.mistake:
            first = tokens[:, 0]  # planted: class-token
        else:
            first = encoded[:, 0]
        return self.fc(self.norm(first))


class Gated(Pictures):
    """Residual branches behind gates that start at zero, and a head that does, too."""

    def __init__(self):
        super().__init__()
        self.gate = nn.Parameter(torch.zeros(1))
        self.inner = nn.Linear(512, 512)
        nn.init.zeros_(self.fc.weight)
        nn.init.zeros_(self.fc.bias)

    def forward(self, x):
        x = self.features(x)
        return self.fc(x + self.gate * torch.relu(self.inner(x)))


class OnlyGated(Gated):
    """Nothing but the gate lets features through at first."""

    def forward(self, x):
        return Pictures.forward(self, x) + self.gate * self.inner(self.features(x))[:, :2]


class Normed(Pictures):
    """Ends in a batch norm, which divides by what the batch deviates."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(2)

    def forward(self, x):
        return self.norm(super().forward(x))


class Offset(Pictures):
    """Logits that differ little beside their common value."""

    def forward(self, x):
        return super().forward(x) + 30.0


class OneToken(Pictures):
    """An attention over a single token: its weights are 1 whatever the sample."""

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(512, 4, batch_first=True)

    def forward(self, x):
        x = self.features(x).unsqueeze(1)
        x, _ = self.attention(x, x, x, need_weights=False)
        return self.fc(x.squeeze(1))


class Weighted(Pictures):
    """A softmax over one score, which weights nothing, beside features that pass."""

    def __init__(self):
        super().__init__()
        self.score = nn.Linear(512, 1)

    def forward(self, x):
        x = self.features(x)
        return self.fc(x * torch.softmax(self.score(x), 1))


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        layers = [nn.Linear(256, 64), nn.Tanh()]
        for _ in range(10):
            layers += [nn.Linear(64, 64), nn.Tanh()]
        self.body = nn.Sequential(*layers, nn.Linear(64, 2))

    def forward(self, x):
        return self.body(x.flatten(1))


class Probabilities(Pictures):
    def forward(self, x):
        return torch.softmax(super().forward(x), 1)


class Written(Pictures):
    """Features written into zeros."""

    def forward(self, x):
        features = self.features(x)
        out = x.new_zeros(x.shape[0], 1024)
        out[:, :512] = features
        return self.fc(out[:, :512])


class Set(nn.Module):
    """A set of points [N, 30, 4], summed and normed."""

    def __init__(self):
        super().__init__()
        self.point = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU())
        self.head = nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 2))

    def forward(self, points):
        return self.head(self.point(points).sum(1))


PLANTED = {
    "zero-mask": ZeroMask,
    "integer-pixels": IntegerPixels,
    "single-softmax": SingleSoftmax,
    "norm-of-one": NormOfOne,
    "clamped": Clamped,
    "batch-mean": BatchMean,
    "twins": Twins,
    "last-padding": Last,
    "last-padding-gru": lambda: Last(nn.GRU),
    "last-padding-state": lambda: Last(nn.GRU, "state"),
    "class-token": ClassToken,
}
SOUND = {
    "pictures": Pictures,
    "own-twins": lambda: Twins(False),
    "last-length": lambda: Last(take="length"),
    "last-mean": lambda: Last(nn.GRU, "mean"),
    "own-class-token": lambda: ClassToken(False),
    "zero-head": lambda: ClassToken(False, True),
    "gated": Gated,
    "only-gated": OnlyGated,
    "normed": Normed,
    "offset": Offset,
    "one-token": OneToken,
    "weighted": Weighted,
    "deep": Deep,
    "probabilities": Probabilities,
    "written": Written,
    "set": Set,
}


def batches(model):
    """Inputs of the kind that the model takes, and their labels."""
    labels = torch.randint(0, 2, (SAMPLES,))
    if isinstance(model, Twins):
        a = torch.randn(SAMPLES, 12)
        return [a, torch.where(labels[:, None] == 1, a + 0.1 * torch.randn_like(a), torch.randn_like(a))], labels
    if isinstance(model, Last):
        ids = torch.randint(1, VOCABULARY // 2, (SAMPLES, TOKENS)) + (VOCABULARY // 2 - 1) * labels[:, None] * (torch.rand(SAMPLES, TOKENS) < 0.5)
        ids[:, 8:] = 0
        ids[:, 5:8] *= (torch.rand(SAMPLES, 1) < 0.5).long()
        return [ids], labels
    if isinstance(model, Set):
        return [torch.randn(SAMPLES, 30, 4) * (1 + labels[:, None, None]) / 1.5], labels
    x = 0.6 * torch.randn(SAMPLES, 1, SIDE, SIDE)
    x[labels == 1, :, :8, :8] += 0.8
    x[labels == 0, :, 8:, 8:] += 0.8
    return [x], labels


def write(case, folder, frozen):
    torch.manual_seed(0)
    net = (PLANTED | SOUND)[case]().requires_grad_(not frozen)
    inputs, labels = batches(net)
    names = ["inputs"] if len(inputs) == 1 else [f"inputs.{place}" for place in range(len(inputs))]
    folder.mkdir()
    save_file({**{name: x.contiguous() for name, x in zip(names, inputs)}, "targets": labels}, folder / "batches.safetensors")
    batch = {0: torch.export.Dim.AUTO}
    program = torch.export.export(net, tuple(x[:2] for x in inputs), dynamic_shapes=tuple(batch for _ in inputs))
    torch.export.save(program, folder / "model.pt2")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    for case in PLANTED | SOUND:
        write(case, Path(sys.argv[1]) / case, "--frozen" in sys.argv)
