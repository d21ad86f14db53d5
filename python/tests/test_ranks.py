"""Two processes under torchrun: rank 0 tells of both, and neither waits for the other."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import EXPORTS, ROOT

TORCHRUN = Path(sys.executable).with_name("torchrun")

SCRIPT = """
import sys
import time
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

dist.init_process_group("gloo")
rank = dist.get_rank()
torch.manual_seed(0)
model = DistributedDataParallel(nn.Linear(4, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
torch.manual_seed(rank)
for step in range(100_000):
    x = torch.randn(8, 4)
    loss = nn.functional.cross_entropy(model(x), (x[:, 0] > 0).long())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    time.sleep(0.01)
    if rank == 1 and step == 20 and "crash" in sys.argv:
        raise ValueError("rank 1 had enough")
"""


def run(folder: Path, *arguments: str) -> tuple[subprocess.CompletedProcess, dict]:
    (folder / "train.py").write_text(SCRIPT)
    ran = subprocess.run(
        [TORCHRUN, "--nproc-per-node", "2", "-m", "nanprobe", "--capture", "cap", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "python")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return ran, json.loads((folder / "cap/evidence.jsonl").read_text())["value"]


@pytest.mark.skipif(not EXPORTS, reason="this torch cannot export")
def test_the_ranks_stop_together_at_a_number_of_steps(tmp_path):
    ran, seen = run(tmp_path, "--steps", "30", "train.py")
    assert ran.returncode == 0, ran.stderr
    ranks = seen["distributed"]
    assert (ranks["ranks"], ranks["wrapped"], seen["steps"]) == (2, True, 30)
    assert ranks["batches"] == {"samples": 160, "same": 0.0}
    assert ranks["parameters"] == {"first": 0.0, "change": 0.0}
    assert ranks["location"]["line"] == 17


@pytest.mark.skipif(not EXPORTS, reason="this torch cannot export")
def test_the_ranks_stop_together_when_the_time_is_up(tmp_path):
    ran, seen = run(tmp_path, "--steps", "100000", "--seconds", "6", "train.py")
    assert ran.returncode == 0, ran.stderr
    assert seen["steps"] > 30 and seen["distributed"]["parameters"] == {"first": 0.0, "change": 0.0}


@pytest.mark.skipif(not EXPORTS, reason="this torch cannot export")
def test_a_rank_that_crashes_is_told_of_by_the_others(tmp_path):
    ran, seen = run(tmp_path, "train.py", "crash")
    assert "rank 1 had enough" in ran.stderr and ran.returncode != 0
    assert seen["distributed"]["ranks"] == 2 and 20 <= seen["steps"] <= 22
