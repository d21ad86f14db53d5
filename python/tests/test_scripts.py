"""The scripts of fixtures/loops, run as the user runs them: what is recorded, and the line."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from conftest import EXPORTS, ROOT, read_safetensors

LOOPS = ROOT / "fixtures" / "loops"
SCRIPTS = sorted(LOOPS.glob("*/*.py"))


def place(location):
    return location and (location["file"], location["line"])


def line_of(script):
    """The line that the script's first line names."""
    text = script.read_text().splitlines()
    wanted = text[0].partition(" at ")[2]
    return next(number for number, line in enumerate(text[1:], start=2) if wanted in line)


# What the record of a broken script must say, and of its mended twin must not; and the place that the check reads.
FAULTS = {
    "no-backward": (lambda v: v["backwards"] == 0, "loss_location"),
    "no-optimizer-step": (lambda v: v["steps"] == 0, "loss_location"),
    "missing-zero-grad": (lambda v: v["uncleared"] > 0.9 * v["backwards"], "loss_location"),
    "detached-loss": (lambda v: v["criterion"]["detached"], "criterion"),
    "detached-output": (lambda v: v["criterion"]["detached"], "criterion"),
    "no-grad-around-forward": (lambda v: v["criterion"]["detached"] and v["forwards"] == 0, "criterion"),
    "parameters-missing-from-optimizer": (lambda v: len(v["optimizer"]["missing"]) == 4, "optimizer"),
    "foreign-parameters-in-optimizer": (lambda v: v["optimizer"]["foreign"] == 2, "optimizer"),
    "scheduler-kills-learning-rate": (lambda v: v["schedule"]["last"] < 1e-9, "schedule"),
    "gradient-clipping-too-tight": (lambda v: v["gradients"]["clip"]["max_norm"] == 1e-4, "clip"),
    "mixed-precision-underflow": (
        lambda v: v["gradients"]["precision"] == "float16" and v["gradients"]["zero_share"] > 0.9,
        "loss_location",
    ),
    "loss-shape-mismatch": (lambda v: v["criterion"]["broadcast"], "criterion"),
    "class-ids-into-mse": (lambda v: v["criterion"]["broadcast"], "criterion"),
    "accuracy-computed-wrong": (lambda v: abs(v["metric"]["reported"] - v["metric"]["recomputed"]) > 0.1, "metric"),
    "validation-prepared-differently": (lambda v: v["validation"]["held_out"]["max"] > 50, "validation"),
    "train-validation-overlap": (lambda v: v["validation"]["repeated"] == v["validation"]["samples"], "validation"),
    "activation-on-logits": (lambda v: v["criterion"]["between"] == "softmax", "criterion"),
    "evaluating-in-train-mode": (lambda v: v["modes"]["evaluation_in_train"] > 0, "evaluation_location"),
    "training-in-eval-mode": (lambda v: v["modes"]["training_in_eval"] > 0, "training_location"),
    "unshuffled-batches": (lambda v: v["loader"]["reordered"] is False, "loader"),
    "zero-grad-before-step": (lambda v: v["empty_steps"] == v["steps"], "clear_location"),
}
RECIPES = {
    "no-backward": "backward = false",
    "detached-loss": "backward = false",
    "detached-output": "backward = false",
    "no-grad-around-forward": "backward = false",
    "zero-grad-before-step": "backward = false",
    "no-optimizer-step": "step = false",
    "missing-zero-grad": "clear-gradients = false",
    "gradient-clipping-too-tight": "clip-norm = 0.0001",
    "scheduler-kills-learning-rate": "lr-decay = 0.",
    "activation-on-logits": 'output-activation = "softmax"',
    "evaluating-in-train-mode": 'evaluation-mode = "train"',
    "training-in-eval-mode": 'training-mode = "eval"',
    "unshuffled-batches": "shuffle = false",
    "learning-rate-too-low": "lr = 1e-06",
    "frozen-parameters": 'trainable = ["head.weight", "head.bias"]',
    "parameters-missing-from-optimizer": 'trainable = ["head.weight", "head.bias"]',
    "loss-shape-mismatch": 'loss = "exported"',
}


def run(script, folder):
    command = [sys.executable, "-m", "nanprobe", "--capture", str(folder), script.name]
    environment = {"PYTHONPATH": str(ROOT / "python"), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    ran = subprocess.run(command, cwd=script.parent, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return folder


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    base = tmp_path_factory.mktemp("captures")
    folders = {script: base / f"{script.parent.name}-{script.stem}" for script in SCRIPTS}
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda script: run(script, folders[script]), SCRIPTS))
    return folders


def value_of(captures, name, kind):
    line = (captures[LOOPS / name / f"{kind}.py"] / "evidence.jsonl").read_text()
    return json.loads(line)["value"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: f"{script.parent.name}-{script.stem}")
def test_every_script_is_captured_whole(captures, script):
    folder = captures[script]
    record = json.loads((folder / "evidence.jsonl").read_text())
    assert record["schema"] == "nanprobe.evidence/1"
    assert record["measurement"] == "training-loop"
    tensors = read_safetensors(folder / "batches.safetensors")
    assert tensors["targets"][1][0] >= 400
    assert {"held_out.targets"} <= set(tensors) or script.parent.name == "healthy-frozen-body"
    if EXPORTS:
        assert record["value"]["export_error"] is None
        torch.export.load(folder / "model.pt2")


@pytest.mark.parametrize("name", FAULTS)
def test_the_fault_is_in_the_record_and_gone_when_mended(captures, name):
    shows, where = FAULTS[name]
    broken, mended = value_of(captures, name, "broken"), value_of(captures, name, "mended")
    assert shows(broken)
    assert not shows(mended)
    owner = {**broken, **(broken["modes"] or {}), **(broken["gradients"] or {})}[where]
    location = owner.get("location", owner)
    assert place(location) == ("broken.py", line_of(LOOPS / name / "broken.py"))


@pytest.mark.parametrize("name", RECIPES)
def test_the_fault_is_in_the_recipe_and_gone_when_mended(captures, name):
    texts = [(captures[LOOPS / name / f"{kind}.py"] / "nanprobe.toml").read_text() for kind in ("broken", "mended")]
    assert RECIPES[name] in texts[0]
    if name != "scheduler-kills-learning-rate":
        assert RECIPES[name] not in texts[1]


def test_a_mended_schedule_keeps_most_of_the_learning_rate(captures):
    for name in ("scheduler-kills-learning-rate/mended", "healthy-two-groups-cosine/mended"):
        text = (captures[LOOPS / f"{name}.py"] / "nanprobe.toml").read_text()
        decay = next(line for line in text.splitlines() if line.startswith("lr-decay"))
        assert float(decay.partition("=")[2]) > 0.98


def test_the_model_is_captured_as_it_was_before_the_first_step(captures):
    if not EXPORTS:
        pytest.skip("models are exported from torch 2.6 on")
    program = torch.export.load(captures[LOOPS / "unshuffled-batches" / "mended.py"] / "model.pt2")
    assert program.state_dict["0.weight"].abs().max() < 0.34  # Conv2d(1, 8, 3) starts within 1/3
