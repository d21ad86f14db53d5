"""python -m nanprobe: arguments, crashes, stopping, the factory, and the engine behind it (here a stand-in)."""

import json
import os
import subprocess
import sys
import textwrap

import pytest
from conftest import EXPORTS, ROOT

import nanprobe
from nanprobe.report import EngineError, Report, find_engine

SCRIPT = """
import sys
import torch
from torch import nn
from helper import FEATURES

assert __name__ == "__main__"
model = nn.Linear(FEATURES, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=float(sys.argv[1]))
x = torch.randn(200, FEATURES)
y = (x[:, 0] > 0).long()
for step in range(1000):
    i = torch.randint(0, 200, (20,))
    loss = nn.functional.cross_entropy(model(x[i]), y[i])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step == 30 and "crash" in sys.argv:
        model(torch.randn(3, FEATURES + 1))
print("finished")
"""

FACTORY = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

def make():
    model = nn.Linear(4, 2)
    x = torch.randn(64, 4)
    loader = DataLoader(TensorDataset(x, (x[:, 0] > 0).long()), batch_size=8)
    return {"model": model, "train_loader": loader, "loss_fn": nn.CrossEntropyLoss(),
            "optimizer": torch.optim.Adam(model.parameters(), lr=0.25)}
"""

# Answers as the engine does: `report` reads a diagnosis and shows or writes it, anything else is a diagnosis.
ENGINE = f"""#!{sys.executable}
import json, sys
if sys.argv[1:2] == ["report"]:
    given = json.load(sys.stdin)
    if "-o" in sys.argv:
        path = sys.argv[sys.argv.index("-o") + 1]
        if "/nowhere/" in path:
            print("error: cannot write", path, file=sys.stderr)
            sys.exit(2)
        open(path, "w").write("<h1>" + given["headline"])
        sys.exit(1)
    print(given["headline"], given["verdicts"][0]["check"], "train.py:7")
    sys.exit(1)
verdict = {{"rank": 1, "check": "no-backward", "family": "loop", "status": "confirmed", "severity": "error",
  "effect": {{"before": 0.5, "after": 0.9}}, "message": "m", "measured": "0 <b>", "remedy": "call it",
  "location": {{"module": "", "file": "train.py", "line": 7}}, "edit": None, "explained_by": None}}
clear = dict(verdict, rank=None, check="dead-relu", status="clear", severity=None, effect=None, location=None)
print(json.dumps({{"schema": "nanprobe.diagnosis/1", "headline": " ".join(sys.argv[1:2]) + " headline",
  "symptom": {{"losses": [1.0, "nan", 0.7], "ln_classes": 0.693}}, "verdicts": [verdict, clear]}}))
sys.exit(1)
"""


def write(folder, name, text):
    path = folder / name
    path.write_text(textwrap.dedent(text))
    path.chmod(0o755)
    return path


def run(folder, *arguments, engine=True):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    environment["NANPROBE_BIN"] = str(write(folder, "engine", ENGINE)) if engine else "/nowhere"
    command = [sys.executable, "-m", "nanprobe", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture
def script(tmp_path):
    write(tmp_path, "helper.py", "FEATURES = 5\n")
    write(tmp_path, "train.py", SCRIPT)
    return tmp_path


def evidence(folder):
    return json.loads((folder / "out" / "evidence.jsonl").read_text())["value"]


def test_a_script_runs_with_its_arguments_and_is_stopped(script):
    ran = run(script, "--capture", "out", "--steps", "50", "train.py", "0.5", "--verbose")
    assert ran.returncode == 0, ran.stderr
    assert "finished" not in ran.stderr
    assert evidence(script)["steps"] == 50
    assert "lr = 0.5" in (script / "out" / "nanprobe.toml").read_text()


def test_full_lets_it_end(script):
    ran = run(script, "--capture", "out", "--full", "train.py", "0.5")
    assert "finished" in ran.stderr
    assert evidence(script)["steps"] == 1000
    assert len(evidence(script)["losses"]) == 1000


def test_a_crash_shows_the_users_traceback_alone_and_what_was_seen(script):
    ran = run(script, "train.py", "0.5", "crash")
    assert ran.returncode == 2
    assert "train.py" in ran.stderr
    assert "mat1 and mat2" in ran.stderr
    assert "runpy" not in ran.stderr
    assert "no-backward" in ran.stdout
    assert ran.stdout.startswith("note: the script ended with RuntimeError after 31 steps")


def test_the_answer_and_the_exit_code_are_the_engines(script):
    ran = run(script, "--steps", "30", "train.py", "0.5")
    assert ran.returncode == 1
    assert ran.stdout.startswith("diagnose headline" if EXPORTS else "judge headline")
    assert "train.py:7" in ran.stdout
    assert json.loads(run(script, "--steps", "30", "--format", "json", "train.py", "0.5").stdout)["verdicts"]


def test_a_script_without_a_training_is_refused(script):
    write(script, "empty.py", "print('hello')\n")
    ran = run(script, "empty.py")
    assert ran.returncode == 2
    assert "ran no training" in ran.stderr
    assert run(script, "missing.py").returncode == 2


def test_a_factory(script):
    write(script, "make.py", FACTORY)
    ran = run(script, "--capture", "out", "--factory", "make.py:make")
    assert ran.returncode == 0, ran.stderr
    assert evidence(script)["watched"] is False
    toml = (script / "out" / "nanprobe.toml").read_text()
    assert "lr = 0.25" in toml
    assert "shuffle = false" in toml


def test_a_missing_engine_is_said_plainly(script, monkeypatch):
    ran = run(script, "--steps", "5", "train.py", "0.5", engine=False)
    assert ran.returncode == 2
    assert "NANPROBE_BIN names `/nowhere`" in ran.stderr
    assert "Traceback" not in ran.stderr
    monkeypatch.setenv("NANPROBE_BIN", "")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EngineError, match="cargo build"):
        find_engine()


def test_a_report_reads_shows_and_saves(tmp_path, monkeypatch):
    engine = write(tmp_path, "engine", ENGINE)
    monkeypatch.setenv("NANPROBE_BIN", str(engine))
    diagnosis = json.loads(subprocess.run([engine], capture_output=True, text=True).stdout)
    report = Report(diagnosis, 1, {"losses": [0.7, "inf", 0.69]}, ["a note"])
    first = report.verdicts[0]
    assert (first.rank, first.check, first.before, first.after) == (1, "no-backward", 0.5, 0.9)
    assert first.location == "train.py:7"
    assert first.fix == "call it"
    assert not report.ok
    page = report._repr_html_()
    assert "0 &lt;b&gt;" in page
    assert "guessing 0.69" in page
    assert "50%" in page
    assert "#000" not in page
    assert "a note" in str(report)
    report.save(tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text()) == report.to_dict()
    report.save(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text() == f"<h1>{report.headline}"
    with pytest.raises(EngineError, match="cannot write"):
        report.save(tmp_path / "nowhere" / "report.html")
    with pytest.raises(ValueError, match="json or .html"):
        report.save(tmp_path / "report.txt")


def test_the_package_says_what_it_offers():
    assert set(nanprobe.__all__) >= {"diagnose", "capture", "watch", "Report", "Verdict"}


@pytest.mark.parametrize(
    ("returned", "says"),
    [
        ("3", "returned int; wanted is a tuple of model"),
        ("(None,)", "no model and no train_loader"),
        ("{'net': 1}", "returned net"),
    ],
)
def test_a_factory_that_returns_something_else_is_told_what_is_wanted(tmp_path, returned, says):
    (tmp_path / "make.py").write_text(f"def make():\n    return {returned}\n")
    ran = run(tmp_path, "--factory", "make.py:make")
    assert ran.returncode == 2 and says in ran.stderr and "Traceback" not in ran.stderr


def test_a_notebook_is_told_to_watch_its_own_cells(tmp_path):
    (tmp_path / "train.ipynb").write_text("{}")
    ran = run(tmp_path, "train.ipynb")
    assert ran.returncode == 2 and "nanprobe.watch()" in ran.stderr
