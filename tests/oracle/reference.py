"""One forward and backward pass of a model, written down by PyTorch.

    python reference.py MODEL OUT.safetensors [--size N] [--channels C] [--classes K] [--batch B] [--seed S]

OUT holds
    param/NAME         parameters and running statistics before the step
    input              [B, C, S, S]
    target             [B], int64
    logits_eval        [B, K], in evaluation mode, before the step
    logits_train       [B, K], in training mode; dropout probabilities are zero
    loss               [], mean cross-entropy of logits_train
    grad/NAME          gradient of that loss
    buffer_after/NAME  running statistics after the one training-mode pass
"""

import torch
import torch.nn.functional as F

from common import arguments, build, parse, random_batches, save, state


def main() -> None:
    args = parse(arguments(__doc__))
    net = build(args.model, args.channels, args.size, args.classes, args.seed)
    inputs, targets = (batches[0] for batches in random_batches(args, steps=1))
    tensors = {"input": inputs, "target": targets, **state(net, "param")}

    with torch.no_grad():
        tensors["logits_eval"] = net.eval()(inputs)

    logits = net.train()(inputs)
    loss = F.cross_entropy(logits, targets)
    loss.backward()
    tensors |= {"logits_train": logits, "loss": loss}
    tensors |= {f"grad/{name}": parameter.grad for name, parameter in net.named_parameters()}
    parameters = {f"buffer_after/{name}" for name, _ in net.named_parameters()}
    tensors |= {name: tensor for name, tensor in state(net, "buffer_after").items() if name not in parameters}
    save(tensors, args)


if __name__ == "__main__":
    main()
