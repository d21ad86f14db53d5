"""A few training steps by each optimizer and each criterion's value, written down by PyTorch.

    python training.py MODEL OUT.safetensors [--steps T] [the options of reference.py]

OUT holds
    param/NAME                   parameters and running statistics before training
    batches                      [T, B, C, S, S]; step t uses batches[t]
    labels                       [T, B], int64
    settings/OPTIMIZER           [3], float64: learning rate, momentum, weight decay; the rest as torch's defaults
    losses/OPTIMIZER             [T]: training-mode cross-entropy of step t before its update, as a loop logs it
    loss_after/OPTIMIZER         []: the same of batches[0] after the last update
    update_norm/OPTIMIZER/NAME   [], float64: L2 norm of what the T steps changed in that parameter
    criterion/CRITERION          []: each criterion on batches[0] before training
Every optimizer starts from `param/`. Targets of bce-with-logits, bce and mse are one-hot.

How far to trust the last digits: with the default options float32 and float64 agree on every loss within 2e-7
(relative) and on every update norm within 2e-5 for mlp, lenet, small-cnn and alexnet. Under batch norm over 4 samples
rounding grows instead, to several per cent of the loss in 5 steps: hold those models to the first step.
"""

import copy

import torch
import torch.nn.functional as F

from common import arguments, build, parse, random_batches, save, state

# Learning rate, momentum, weight decay: large enough for each to show in a few steps, and small enough that
# a last-bit difference does not grow.
SETTINGS = {
    "sgd": (0.01, 0.9, 1e-4),
    "adam": (1e-4, 0.0, 1e-2),
    "adamw": (1e-4, 0.0, 1e-1),
    "rmsprop": (1e-5, 0.5, 1e-2),
}


def optimizer(name: str, parameters) -> torch.optim.Optimizer:
    lr, momentum, weight_decay = SETTINGS[name]
    match name:
        case "sgd":
            return torch.optim.SGD(parameters, lr, momentum, weight_decay=weight_decay)
        case "adam":
            return torch.optim.Adam(parameters, lr, weight_decay=weight_decay)
        case "adamw":
            return torch.optim.AdamW(parameters, lr, weight_decay=weight_decay)
        case "rmsprop":
            return torch.optim.RMSprop(parameters, lr, momentum=momentum, weight_decay=weight_decay)


def criteria(logits: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
    one_hot = F.one_hot(targets, logits.shape[1]).to(logits.dtype)
    return {
        "cross-entropy": F.cross_entropy(logits, targets),
        "nll": F.nll_loss(F.log_softmax(logits, dim=1), targets),
        "bce-with-logits": F.binary_cross_entropy_with_logits(logits, one_hot),
        "bce": F.binary_cross_entropy(torch.sigmoid(logits), one_hot),
        "mse": F.mse_loss(logits, one_hot),
    }


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--steps", type=int, default=5)
    args = parse(parser)
    start = build(args.model, args.channels, args.size, args.classes, args.seed)
    batches, labels = random_batches(args, args.steps)
    tensors = {"batches": batches, "labels": labels, **state(start, "param")}

    for name, settings in SETTINGS.items():
        net = copy.deepcopy(start)
        steps = optimizer(name, net.parameters())
        losses = []
        for inputs, targets in zip(batches, labels):
            loss = F.cross_entropy(net(inputs), targets)
            steps.zero_grad()
            loss.backward()
            steps.step()
            losses.append(loss.detach())
        with torch.no_grad():
            tensors[f"loss_after/{name}"] = F.cross_entropy(net(batches[0]), labels[0])
            for (parameter, after), before in zip(net.named_parameters(), start.parameters()):
                tensors[f"update_norm/{name}/{parameter}"] = (after - before).double().norm()
        tensors[f"losses/{name}"] = torch.stack(losses)
        tensors[f"settings/{name}"] = torch.tensor(settings, dtype=torch.float64)

    with torch.no_grad():
        logits = copy.deepcopy(start)(batches[0])
        tensors |= {f"criterion/{name}": loss for name, loss in criteria(logits, labels[0]).items()}
    save(tensors, args)


if __name__ == "__main__":
    main()
