"""What the tests share. The engine is not needed: they look at what is recorded and written."""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pytest  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
EXPORTS = tuple(int(part) for part in torch.__version__.split(".")[:2]) >= (2, 6)

torch.set_num_threads(1)


def net(inputs: int = 6, outputs: int = 3) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, outputs))


def data(count: int = 120, inputs: int = 6, classes: int = 3, seed: int = 0) -> TensorDataset:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, inputs, generator=generator)
    return TensorDataset(x, (x[:, :classes]).argmax(1))


def loader(batch_size: int = 20, shuffle: bool = True, **options: object) -> DataLoader:
    return DataLoader(data(), batch_size=batch_size, shuffle=shuffle, **options)


def train(model, batches, optimizer, loss_fn, epochs: int = 1) -> list[float]:
    losses = []
    for _ in range(epochs):
        model.train()
        for x, y in batches:
            optimizer.zero_grad()
            loss = loss_fn(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


def read_safetensors(path: Path) -> dict[str, tuple[str, list[int]]]:
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    return {name: (entry["dtype"], entry["shape"]) for name, entry in header.items() if name != "__metadata__"}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)
