"""What watching costs: seconds per epoch of a small CNN with and without, in turn, and the median ratio.

python benchmarks/overhead.py [epochs]
"""

import statistics
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import nanprobe  # noqa: E402


def build() -> nn.Module:
    blocks: list[nn.Module] = []
    for inputs, outputs in ((3, 16), (16, 32)):
        blocks += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(32 * 64, 10))


def epoch(batches: DataLoader, watched: bool) -> float:
    torch.manual_seed(0)
    model, criterion = build(), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters())
    with nanprobe.watch() if watched else nullcontext():
        start = time.process_time()
        for x, y in batches:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()
        return time.process_time() - start


if __name__ == "__main__":
    torch.set_num_threads(1)
    loader = DataLoader(TensorDataset(torch.randn(3200, 3, 32, 32), torch.randint(0, 10, (3200,))), 32, shuffle=True)
    epoch(loader, watched=False)
    pairs = [(epoch(loader, False), epoch(loader, True)) for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 10)]
    plain, watched = (min(pair[i] for pair in pairs) for i in (0, 1))
    ratio = statistics.median(b / a for a, b in pairs)
    fastest = f"{100 * (watched / plain - 1):+.1f} % by the fastest of {len(pairs)} epochs"
    print(f"{len(loader)} steps of {10 * plain:.2f} ms of CPU time")
    print(f"with nanprobe.watch {fastest}, {100 * (ratio - 1):+.1f} % by the median pair")
