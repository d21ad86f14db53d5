"""Exports a model with torch.export and writes down what PyTorch computes with it.

A model is torchvision's (`torchvision/resnet18`), timm's (`timm/vit_tiny_patch16_224`) or hand-written (`own/lstm`). Dropout and random
depth are set to 0 where equality is to be tested. Two files are written: OUT.pt2 and OUT.safetensors.
"""

import argparse
import time
import warnings

import torch
from safetensors.torch import save_file

from own_models import OWN_MODELS

CLASSES = 10
STEPS = 5
LEARNING_RATE = 1e-3


def build(name: str, size: int) -> torch.nn.Module:
    family, _, model = name.partition("/")
    torch.manual_seed(0)
    if family == "own":
        return OWN_MODELS[model]()
    if family == "torchvision":
        import torchvision

        extra = {"aux_logits": False, "init_weights": True} if model in ("googlenet", "inception_v3") else {}
        return torchvision.models.get_model(model, weights=None, num_classes=CLASSES, **extra)
    import timm

    return timm.create_model(model, pretrained=False, num_classes=CLASSES)


def still(net: torch.nn.Module) -> None:
    """Takes out everything that draws random numbers, and heads that are zero."""
    for module in net.modules():
        name = type(module).__name__
        if name in ("Dropout", "Dropout2d", "StochasticDepth"):
            module.p = 0.0
        if name == "DropPath":
            module.drop_prob = 0.0
        for attribute in ("attn_drop", "proj_drop", "attn_drop_rate", "drop_rate", "dropout_p"):
            if isinstance(getattr(module, attribute, None), float):
                setattr(module, attribute, 0.0)
        if isinstance(getattr(module, "dropout", None), float):
            module.dropout = 0.0
        # A head of zeros answers nothing that could differ.
        if isinstance(module, torch.nn.Linear) and not module.weight.any():
            torch.nn.init.normal_(module.weight, std=0.02)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("out", help="path without ending")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--eval", action="store_true", help="export in evaluation mode")
    parser.add_argument("--time", type=int, default=0, metavar="STEPS", help="also time so many training steps")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    net = build(args.model, args.size)
    still(net)
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn((STEPS, args.batch, 3, args.size, args.size), generator=generator)
    labels = torch.randint(CLASSES, (STEPS, args.batch), generator=generator)

    net.train(not args.eval)
    exported = torch.export.export(net, (torch.randn(args.batch, 3, args.size, args.size),), dynamic_shapes=({0: torch.export.Dim.AUTO},))
    torch.export.save(exported, f"{args.out}.pt2")

    def answer(inputs: torch.Tensor) -> torch.Tensor:
        outputs = net(inputs)
        return outputs["logits"] if isinstance(outputs, dict) else outputs

    result = {"inputs": inputs, "labels": labels}
    net.eval()
    with torch.no_grad():
        result["eval"] = answer(inputs[0])
    net.train()
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE)
    losses = []
    for step in range(STEPS):
        logits = answer(inputs[step])
        loss = torch.nn.functional.cross_entropy(logits, labels[step])
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            result["train"] = logits
            result |= {f"grad/{name}": p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}
        losses.append(loss.detach())
        optimizer.step()
    result["losses"] = torch.stack(losses)
    seconds = []
    for step in range(args.time):
        start = time.perf_counter()
        loss = torch.nn.functional.cross_entropy(answer(inputs[0]), labels[0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    if seconds:
        result["seconds"] = torch.tensor(sorted(seconds)[len(seconds) // 2], dtype=torch.float64)
    save_file({name: tensor.detach().contiguous() for name, tensor in result.items()}, f"{args.out}.safetensors")


if __name__ == "__main__":
    main()
