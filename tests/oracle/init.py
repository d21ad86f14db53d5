"""How PyTorch initialises each parameter of a model, in numbers.

    python init.py MODEL OUT.json [--seeds N] [the options of reference.py]

OUT maps each parameter's name to
    shape
    mean, std, min, max   over all elements and all seeds; std is that of the population
    constant              whether every element is the same number under every seed, as a zero bias is
"""

import json
import math

import torch

from common import arguments, build, parse


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    args = parse(parser)
    sums: dict[str, dict] = {}
    for seed in range(args.seed, args.seed + args.seeds):
        net = build(args.model, args.channels, args.size, args.classes, seed)
        for name, parameter in net.named_parameters():
            values = parameter.detach()
            low, high = (bound.item() for bound in torch.aminmax(values))
            entry = sums.setdefault(name, {"shape": list(values.shape), "n": 0, "sum": 0.0, "squares": 0.0, "min": low, "max": high})
            entry["n"] += values.numel()
            entry["sum"] += values.sum(dtype=torch.float64).item()
            entry["squares"] += torch.linalg.vector_norm(values, dtype=torch.float64).item() ** 2
            entry["min"] = min(entry["min"], low)
            entry["max"] = max(entry["max"], high)

    summary = {}
    for name, entry in sums.items():
        mean = entry["sum"] / entry["n"]
        std = math.sqrt(max(entry["squares"] / entry["n"] - mean**2, 0.0))
        constant = entry["min"] == entry["max"]
        summary[name] = {
            "shape": entry["shape"],
            "mean": mean,
            "std": 0.0 if constant else std,
            "min": entry["min"],
            "max": entry["max"],
            "constant": constant,
        }
    with open(args.out, "w", encoding="utf-8") as file:
        json.dump(summary, file, indent=1)


if __name__ == "__main__":
    main()
