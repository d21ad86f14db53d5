"""Models as people write them by hand: what the libraries' classifiers do not contain."""

import torch
from torch import nn
from torch.nn import functional as F


class Functional(nn.Module):
    """Functional calls, sizes computed in Python, a buffer and a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(0.0)
        self.fc = nn.Linear(8 * 16, 10)
        self.register_buffer("scale", torch.tensor([0.5]))
        self.offset = torch.linspace(-0.1, 0.1, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(F.leaky_relu(self.norm(self.conv(x)), 0.1), 2)
        x = F.adaptive_avg_pool2d(x, 4)
        x = x.view(x.size(0), -1) * self.scale
        return self.fc(self.drop(x)) + self.offset


class Recurrent(nn.Module):
    """Rows of the picture as a sequence for an LSTM, then a GRU."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3 * 16, 24, batch_first=True)
        self.gru = nn.GRU(24, 16, batch_first=True, bidirectional=True)
        self.head = nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.interpolate(x, size=(16, 16), mode="bilinear", align_corners=False)
        x = x.permute(0, 2, 1, 3).flatten(2)
        x, _ = self.lstm(x)
        x, _ = self.gru(x)
        return self.head(x[:, -1])


class Attention(nn.Module):
    """Patches, a class token, an embedding of positions, torch's own encoder layer."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 32, 16, 16)
        self.token = nn.Parameter(torch.zeros(1, 1, 32))
        self.position = nn.Embedding(65, 32)
        self.layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True, activation="gelu")
        self.head = nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1)
        x = x + self.position(torch.arange(x.shape[1], device=x.device))
        return self.head(self.layer(x)[:, 0])


class Mixed(nn.Module):
    """Operators that are met now and then: instance and group norm, PReLU, Mish, einsum, topk, where, gather, masks."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2)
        self.instance = nn.InstanceNorm2d(16, affine=True)
        self.group = nn.GroupNorm(4, 16)
        self.prelu = nn.PReLU()
        self.mish = nn.Mish()
        self.weight = nn.Parameter(torch.randn(16, 10) * 0.1)
        self.tied = nn.Linear(16, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.prelu(self.instance(self.stem(x)))
        x = self.mish(self.group(x))
        left, right = x.chunk(2, dim=1)
        x = torch.stack([left, right * torch.sigmoid(left)], dim=1).reshape(x.shape)
        x = torch.where(x > 0, x, 0.1 * x).mean(dim=(2, 3))
        x = self.tied(F.elu(self.tied(x)))
        best = x.topk(4, dim=1).values.sum(dim=1, keepdim=True)
        first = x.gather(1, x.argmax(dim=1, keepdim=True))
        x = x.masked_fill(x < -1.0, -1.0) + best.clamp(-1, 1) - first
        return torch.einsum("bi,io->bo", F.normalize(x, dim=1), self.weight)


class Residual1d(nn.Module):
    """Convolutions over one dimension and three."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv1d(3, 8, 5, padding="same")
        self.norm = nn.BatchNorm1d(8)
        self.three = nn.Conv3d(1, 4, (1, 3, 3), padding=(0, 1, 1))
        self.head = nn.Linear(8 + 4, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = F.silu(self.norm(self.one(x.mean(dim=2)))).amax(dim=2)
        b = F.softplus(self.three(x.unsqueeze(1))).mean(dim=[2, 3, 4])
        return self.head(torch.cat([a, b], dim=1))


class FrozenBody(nn.Module):
    """A body under `no_grad`, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.head = nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            x = self.body(x)
        return self.head(x)


class Wide(nn.Module):
    """What is rare: circular padding, instance norm that keeps statistics, arithmetic on sizes, reductions by name, one of two outputs."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=4, padding=1, padding_mode="circular")
        self.norm = nn.InstanceNorm2d(8, affine=True, track_running_stats=True)
        self.clip = nn.Hardtanh()
        self.features = nn.Linear(8 * 4 * 4, 24)
        self.head = nn.Linear(24, 10)
        self.register_buffer("groups", torch.arange(24) % 6)

    def forward(self, x):
        x = self.clip(self.norm(self.conv(x)))
        rows, columns = torch.meshgrid(torch.linspace(0, 1, x.size(2)), torch.linspace(0, 1, x.size(3)), indexing="ij")
        x = x * (rows + columns) * x.size(2) ** -0.5
        x = nn.functional.adaptive_avg_pool2d(x, 4).flatten(1)
        features = self.features(x) * (x.size(0) / (2 * x.size(0)))
        pooled = torch.zeros_like(features).scatter_reduce(1, self.groups.expand_as(features), features, reduce="mean")
        return {"features": features, "logits": self.head(pooled + features)}


OWN_MODELS = {
    "wide": Wide,
    "functional": Functional,
    "recurrent": Recurrent,
    "attention": Attention,
    "mixed": Mixed,
    "one-and-three": Residual1d,
    "frozen-body": FrozenBody,
}
