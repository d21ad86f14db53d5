"""How a model begins, one forward and backward pass of it and a few steps, written down by PyTorch.

    python reference.py MODEL OUT.safetensors [--steps T] [the options of common.py]

OUT holds
    init/NAME          [4], float64: mean, population standard deviation, least and largest of a parameter as PyTorch draws it
    param/NAME         parameters and running statistics before the step; what PyTorch makes all the same, such as a zero bias or
                       a head of zeros, is drawn around that, so that it shows in what is computed
    batches            [T, B, C, S, S]
    labels             [T, B], int64
    logits_eval        [B, K], of batches[0] in evaluation mode, before the step
    logits_train       [B, K], of batches[0] in training mode; probabilities of dropout and stochastic depth are zero
    loss               [], mean cross-entropy of logits_train
    grad/NAME          gradient of that loss
    buffer_after/NAME  running statistics after the one training-mode pass
    losses             [T]: cross-entropy of batches[t] before step t of plain SGD; the running statistics go on from the pass
"""

import torch
import torch.nn.functional as F

from common import arguments, build, parse, random_batches, save, state

# Small enough that a last-bit difference does not grow, under batch norm over a few samples too.
LEARNING_RATE = 1e-3
# Of what is drawn in the place of a constant.
CONSTANTS_STD = 0.1


def summary(values: torch.Tensor) -> torch.Tensor:
    values = values.detach()
    return torch.stack([values.mean(), values.std(correction=0), *torch.aminmax(values)]).double()


def draw_constants(net: torch.nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed + 2)
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.min() == parameter.max():
                parameter += CONSTANTS_STD * torch.randn(parameter.shape, generator=generator)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--steps", type=int, default=5)
    args = parse(parser)
    net = build(args.model, args.channels, args.size, args.classes, args.seed)
    tensors = {f"init/{name}": summary(parameter) for name, parameter in net.named_parameters()}
    draw_constants(net, args.seed)
    batches, labels = random_batches(args, args.steps)
    inputs, targets = batches[0], labels[0]
    tensors |= {"batches": batches, "labels": labels, **state(net, "param")}

    with torch.no_grad():
        tensors["logits_eval"] = net.eval()(inputs)

    logits = net.train()(inputs)
    loss = F.cross_entropy(logits, targets)
    loss.backward()
    tensors |= {"logits_train": logits, "loss": loss}
    tensors |= {f"grad/{name}": parameter.grad.clone() for name, parameter in net.named_parameters()}
    parameters = {f"buffer_after/{name}" for name, _ in net.named_parameters()}
    tensors |= {name: tensor for name, tensor in state(net, "buffer_after").items() if name not in parameters}

    optimizer = torch.optim.SGD(net.parameters(), LEARNING_RATE)
    losses = []
    for inputs, targets in zip(batches, labels):
        loss = F.cross_entropy(net(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    tensors["losses"] = torch.stack(losses)
    save(tensors, args)


if __name__ == "__main__":
    main()
