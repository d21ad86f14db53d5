"""Small things about tensors: what is in a batch, what an output is, how it came about, and a safetensors file."""

from __future__ import annotations

import ctypes
import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

_DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
}

# Nodes of the autograd graph that move values about and change none.
_VIEWS = (
    "View",
    "UnsafeView",
    "ReshapeAlias",
    "Squeeze",
    "Unsqueeze",
    "ToCopy",
    "Alias",
    "Permute",
    "Transpose",
    "T",
    "Select",
    "Slice",
    "Index",
    "Clone",
    "Expand",
)
_ACTIVATIONS = {"Softmax": "softmax", "LogSoftmax": "log-softmax", "Sigmoid": "sigmoid", "Relu": "relu"}


def save(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Writes a safetensors file: a length, a JSON header, and the raw little-endian bytes."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    end = 0
    for name, tensor in tensors.items():
        begin, end = end, end + tensor.nbytes
        header[name] = {"dtype": _DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            file.write(ctypes.string_at(tensor.data_ptr(), tensor.nbytes))


def storable(tensor: Tensor) -> Tensor:
    """The same values in a dtype that the engine reads."""
    if tensor.dtype in _DTYPES:
        return tensor
    return tensor.long() if tensor.dtype in (torch.int8, torch.int16) else tensor.float()


def leaves(batch: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Tensor]]:
    """The tensors in a batch of any nesting, each with its keys."""
    if isinstance(batch, Tensor):
        yield path, batch
    elif isinstance(batch, Mapping):
        for key in batch:
            yield from leaves(batch[key], (*path, key))
    elif isinstance(batch, (list, tuple)):
        for index, entry in enumerate(batch):
            yield from leaves(entry, (*path, index))


def logits_of(output: Any) -> Tensor | None:
    """The tensor that a model answers with: itself, what is named logits, or the first one that is no scalar loss."""
    named = [output[key] for key in output if "logit" in str(key).lower()] if isinstance(output, Mapping) else []
    logits = named[0] if named else getattr(output, "logits", None)
    return logits if isinstance(logits, Tensor) else next((leaf for _, leaf in leaves(output) if leaf.dim() > 0), None)


def wrappers(module: nn.Module) -> Iterator[nn.Module]:
    """What is called, what it wraps, and so on inwards: `torch.compile`, DataParallel, DistributedDataParallel."""
    while isinstance(module, nn.Module):
        yield module
        inner = getattr(module, "_orig_mod", None)
        if inner is None and isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            inner = module.module
        module = inner


def unwrapped(module: nn.Module) -> nn.Module:
    """The user's module inside the wrappers that torch puts around it."""
    return list(wrappers(module))[-1]


def between(given: Tensor, outputs: Iterable[Tensor]) -> tuple[str | None, bool]:
    """What lies between a model's outputs and the criterion: its name, and whether autograd connects them."""
    outputs = list(outputs)
    if any(given is output for output in outputs):
        return None, True
    goals = {output.grad_fn for output in outputs if output.grad_fn is not None}
    paths: list[tuple[Any, tuple[str, ...]]] = [(given.grad_fn, ())] if given.grad_fn is not None else []
    for node, names in paths:  # breadth first: the list grows while it is walked
        if node in goals:
            kinds = [name for name in names if name not in _VIEWS]
            known = [_ACTIVATIONS[name] for name in kinds if name in _ACTIVATIONS]
            if "Log" in kinds and "softmax" in known:
                known = ["log-softmax"]
            return (known[0] if known else "other" if kinds else None), True
        if len(names) < 12 and len(paths) < 500:
            name = node.name().partition("Backward")[0]
            paths += [(parent, (*names, name)) for parent, _ in node.next_functions if parent is not None]
    return _by_value(given.detach(), [output.detach() for output in outputs]), False


def _by_value(given: Tensor, outputs: list[Tensor]) -> str | None:
    """The same for a tensor that autograd does not connect with the outputs."""
    for output in outputs:
        if output.dim() == 2 and given.numel() == len(output) and torch.equal(given.flatten().long(), output.argmax(1)):
            return "argmax"
        if output.shape == given.shape and output.is_floating_point():
            images = {None: output, "softmax": output.softmax(-1), "sigmoid": output.sigmoid(), "relu": output.relu()}
            for name, image in images.items():
                if torch.allclose(given.to(image.dtype), image):
                    return name
    return "other"


def leaf_tensors(loss: Tensor) -> Iterator[Tensor]:
    """The leaves at which a backward pass from `loss` arrives."""
    if loss.grad_fn is None:
        yield loss
    stack, seen = [loss.grad_fn], set()
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if (variable := getattr(node, "variable", None)) is not None:
            yield variable
        stack.extend(parent for parent, _ in node.next_functions)


def reaches(loss: Tensor, parameters: Iterable[Tensor]) -> bool:
    """Whether a backward pass from `loss` arrives at one of the parameters."""
    wanted = {id(parameter) for parameter in parameters}
    return any(id(leaf) in wanted for leaf in leaf_tensors(loss))


def answers(logits: Tensor, probabilities: bool) -> Tensor:
    """The class that each row of logits (or probabilities) names, [N]."""
    if logits.dim() > 1 and logits.shape[-1] > 1:
        return logits.argmax(-1)
    return (logits.flatten() > (0.5 if probabilities else 0.0)).long()


def classes_of(targets: Tensor) -> Tensor:
    """Class ids of targets in any form that a criterion takes, [N]."""
    one_hot = targets.dim() == 2 and targets.shape[1] > 1
    return targets.argmax(1) if one_hot else targets.flatten().long()
