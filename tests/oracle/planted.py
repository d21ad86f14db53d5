"""Exports a hand-written model with one mistake in it; the line of the mistake carries a comment `planted: NAME`."""

import sys
import warnings

import torch
from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault
        self.conv1 = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, stride=2, padding=1)
        self.fc1 = nn.Linear(512, 64)
        self.fc2 = nn.Linear(64, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.conv1(x))  # planted: frozen
        x = torch.relu(self.conv2(x))
        x = F.adaptive_avg_pool2d(x, 4)
        if self.fault == "view":
            x = x.permute(1, 2, 3, 0).reshape(-1, 512)  # planted: view
        else:
            x = x.flatten(1)
        if self.fault == "detach":
            x = x.detach()  # planted: detach
        x = torch.relu(self.fc1(x))
        if self.fault == "no-grad":
            with torch.no_grad():
                x = self.fc2(x)  # planted: no-grad
            return x
        x = self.fc2(x)
        if self.fault == "softmax":
            x = torch.softmax(x, dim=1)  # planted: softmax
        if self.fault == "sigmoid":
            x = x.sigmoid()  # planted: sigmoid
        if self.fault == "relu":
            x = F.relu(x, inplace=True)  # planted: relu
        return x


if __name__ == "__main__":
    fault, out, *options = sys.argv[1:]
    warnings.filterwarnings("ignore")
    torch.manual_seed(0)
    net = Net(fault)
    if fault == "frozen":
        for module in (net.conv1, net.conv2, net.fc1):
            module.requires_grad_(False)
    auto = torch.export.Dim.AUTO
    # With `open`, the side of the pictures is left open as well.
    dynamic = {0: auto, 2: auto, 3: auto} if "open" in options else {0: auto}
    program = torch.export.export(net, (torch.randn(2, 3, 32, 32),), dynamic_shapes=(dynamic,))
    torch.export.save(program, out)
