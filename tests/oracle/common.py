"""What the oracle scripts share: the command line, the models, and one file format.

Everything is float32 on one thread with deterministic kernels, so that a difference from nanprobe is a
difference in the computation and not in the order of a sum.
"""

import argparse
import warnings

import torch
import torchvision
from safetensors.torch import save_file

from small_models import SMALL_MODELS

TORCHVISION_MODELS = [
    "resnet18",
    "resnet34",
    "resnet50",
    "alexnet",
    "vgg11",
    "vgg16_bn",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "densenet121",
    "squeezenet1_1",
    "efficientnet_b0",
    "convnext_tiny",
    "shufflenet_v2_x1_0",
    "regnet_y_400mf",
    "googlenet",
    "vit_b_16",
    "swin_t",
]


def arguments(doc: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=doc.strip().splitlines()[0])
    parser.add_argument("model", choices=[*TORCHVISION_MODELS, *SMALL_MODELS])
    parser.add_argument("out", help="file to write")
    parser.add_argument("--size", type=int, help="side of the input in pixels; default 64 for torchvision's models, else 32")
    parser.add_argument("--channels", type=int, default=3, help="input channels; torchvision's models take 3 only")
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    return parser


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    args = parser.parse_args()
    args.size = args.size or (32 if args.model in SMALL_MODELS else 64)
    if args.channels != 3 and args.model not in SMALL_MODELS:
        parser.error(f"{args.model} takes 3 channels, not {args.channels}")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    return args


def build(model: str, channels: int, size: int, classes: int, seed: int) -> torch.nn.Module:
    """The model with its own random initialisation, and without dropout and stochastic depth, in training mode."""
    torch.manual_seed(seed)
    if model in SMALL_MODELS:
        net = SMALL_MODELS[model](channels, size, classes)
    else:
        # torchvision announces that GoogLeNet will be drawn otherwise one day.
        warnings.filterwarnings("ignore", category=FutureWarning, module="torchvision.models.googlenet")
        options = {"googlenet": {"aux_logits": False, "transform_input": False}, "vit_b_16": {"image_size": size}}
        net = torchvision.models.get_model(model, weights=None, num_classes=classes, **options.get(model, {}))
    for module in net.modules():
        if isinstance(module, (torch.nn.Dropout, torchvision.ops.StochasticDepth)):
            module.p = 0.0
    return net.train()


def random_batches(args: argparse.Namespace, steps: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs [steps, B, C, S, S] from N(0, 1) and labels [steps, B] of int64."""
    generator = torch.Generator().manual_seed(args.seed + 1)
    shape = (steps, args.batch, args.channels, args.size, args.size)
    inputs = torch.randn(shape, generator=generator)
    labels = torch.randint(args.classes, (steps, args.batch), generator=generator)
    return inputs, labels


def state(net: torch.nn.Module, prefix: str) -> dict[str, torch.Tensor]:
    """Parameters and running statistics as they are now, under `prefix/NAME`."""
    return {
        f"{prefix}/{name}": tensor.detach().clone()
        for name, tensor in net.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


def save(tensors: dict[str, torch.Tensor], args: argparse.Namespace) -> None:
    metadata = {key: str(value) for key, value in vars(args).items() if key != "out"}
    metadata |= {"torch": torch.__version__, "torchvision": torchvision.__version__}
    save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, args.out, metadata)
