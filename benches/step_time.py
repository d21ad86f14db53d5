"""Time of one PyTorch training step (eager, SGD with momentum), as JSON lines.

    python step_time.py [--rounds R] [--steps N] [--threads T]
    python step_time.py --serve [--steps N] [--threads T] [--export FOLDER]

Each line is {"model", "size", "batch", "threads", "steps", "seconds_median"}. With --serve a model's name on a
line of standard input times one round of N steps and answers one line, so that another program can take turns
with this one in the same run. With --export each model is also written to FOLDER/NAME.pt2 before it is first timed.
"""

import argparse
import json
import statistics
import sys
import time
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
import torchvision

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "oracle"))
from small_models import SmallCnn  # noqa: E402

CLASSES = 10
BATCH = 32
WARMUP_STEPS = 3
# Of torchvision, each at 64 px.
ZOO = (
    "resnet18",
    "resnet50",
    "vgg11",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "densenet121",
    "shufflenet_v2_x1_0",
    "efficientnet_b0",
    "regnet_y_400mf",
    "convnext_tiny",
)


def of_torchvision(name: str) -> torch.nn.Module:
    return torchvision.models.get_model(name, weights=None, num_classes=CLASSES)


MODELS = {
    **{name: (64, 3, partial(of_torchvision, name)) for name in ZOO},
    "small-cnn": (28, 1, lambda: SmallCnn(1, 28, CLASSES)),
}


class Trainer:
    def __init__(self, name: str, export: Path | None = None):
        self.name = name
        self.size, channels, build = MODELS[name]
        torch.manual_seed(0)
        self.net = build().train()
        if export is not None:
            torch.export.save(torch.export.export(self.net, (torch.randn(BATCH, channels, self.size, self.size),)), export / f"{name}.pt2")
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.01, momentum=0.9)
        self.inputs = torch.randn(BATCH, channels, self.size, self.size)
        self.targets = torch.randint(CLASSES, (BATCH,))
        self.times(WARMUP_STEPS)

    def times(self, steps: int) -> list[float]:
        """Seconds of each of `steps` training steps; reading the loss makes each wait for its end."""
        times = []
        for _ in range(steps):
            start = time.perf_counter()
            self.optimizer.zero_grad()
            loss = F.cross_entropy(self.net(self.inputs), self.targets)
            loss.backward()
            self.optimizer.step()
            loss.item()
            times.append(time.perf_counter() - start)
        return times

    def report(self, times: list[float]) -> None:
        line = {
            "model": self.name,
            "size": self.size,
            "batch": BATCH,
            "threads": torch.get_num_threads(),
            "steps": len(times),
            "seconds_median": statistics.median(times),
        }
        print(json.dumps(line), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time of one PyTorch training step.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10, help="steps of a round")
    parser.add_argument("--threads", type=int, help="default: as torch chooses")
    parser.add_argument("--serve", action="store_true", help="read model names from standard input")
    parser.add_argument("--export", type=Path, help="folder for the exported models")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)

    if args.serve:
        trainer = None
        for line in sys.stdin:
            if trainer is None or trainer.name != line.strip():
                trainer = Trainer(line.strip(), args.export)
            trainer.report(trainer.times(args.steps))
        return
    trainers = {name: Trainer(name) for name in MODELS}
    times = {name: [] for name in trainers}
    for _ in range(args.rounds):
        for name, trainer in trainers.items():
            times[name] += trainer.times(args.steps)
    for name, trainer in trainers.items():
        trainer.report(times[name])


if __name__ == "__main__":
    main()
