"""python -m nanprobe [options] train.py [its arguments]: runs a script, watches its training, and diagnoses it."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import nanprobe

from ._record import Enough, Recorder
from ._where import is_users
from .report import EngineError, Report, find_engine, run_engine

USAGE = 2  # as the engine's exit codes: 0 clean, 1 a finding, 2 wrong usage or a script that crashed, 3 too little seen


def main(argv: list[str]) -> int:
    """Runs the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m nanprobe", description=__doc__)
    parser.add_argument("script", nargs="?", help="the training script; what follows are its own arguments")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    parser.add_argument(
        "--factory",
        metavar="FILE:FUNCTION",
        help="a function that returns (model, train_loader, loss_fn, "
        "optimizer[, val_loader]), or a dictionary of these, in place of a script",
    )
    parser.add_argument("--full", action="store_true", help="let the script run to its end")
    parser.add_argument("--steps", type=int, default=200, help="stop it after so many optimizer steps [default: 200]")
    parser.add_argument("--seconds", type=float, default=60, help="stop it after so many seconds [default: 60]")
    parser.add_argument("--capture", metavar="DIR", help="only write what was recorded to DIR; nothing is judged")
    parser.add_argument(
        "--format", default="table", help="form of the report, as `nanprobe report --help` lists them [default: table]"
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="write the report to FILE [default: standard output]")
    parser.add_argument("--budget", help="time for the experiments, such as 60s [default: 2m]")
    parser.add_argument("--quick", action="store_true", help="30 seconds of experiments")
    options = parser.parse_args(argv)
    if bool(options.script) == bool(options.factory):
        parser.error("give a script, or a factory with --factory FILE:FUNCTION")
    target = options.factory.rpartition(":")[0] if options.factory else options.script
    if not Path(target).is_file():
        parser.error(f"there is no file `{target}`")
    if Path(target).suffix == ".ipynb":
        parser.error(
            f"`{target}` is a notebook: put `with nanprobe.watch() as w:` around its training, and look at w.report"
        )
    given = {"budget": options.budget, "quick": options.quick}
    with contextlib.ExitStack() as stack:
        folder = Path(options.capture or stack.enter_context(tempfile.TemporaryDirectory(prefix="nanprobe-")))
        try:
            crashed, problems = False, None
            if options.factory:
                problems = _capture_factory(options.factory, folder)
            else:
                crashed, problems = _capture_script(options, folder)
            if problems is None:
                return 0  # rank 0 speaks for all
            if options.capture:
                print(f"wrote {folder}", file=sys.stderr)
                return USAGE if crashed else 0
            report = run_engine(folder, {key: value for key, value in given.items() if value}, problems)
        except (EngineError, ValueError) as error:
            print(f"nanprobe: error: {error}", file=sys.stderr)
            return USAGE
    written = _print(report, options.format, options.output)
    return written or (USAGE if crashed else report.exit_code)


def _print(report: Report, form: str, output: str | None) -> int:
    """The report where it is wanted, in the engine's own words; USAGE if it could not be written."""
    if form == "json" and not output:
        print(report.to_json())
        return 0
    table = form == "table"
    for note in report.notes if table else ():
        print(f"note: {note}\n", flush=True)
    command = [find_engine(), "report", "-", "--format", form]
    # Without what the folder of the capture and its missing parts would add, which says nothing to the script's author.
    command += (["--quiet"] if table else []) + (["-o", output] if output else [])
    shown = subprocess.run(command, input=report.to_json(), text=True)
    if shown.returncode == USAGE and not table:
        return USAGE
    if shown.returncode == USAGE:
        print(report)
    elif table and not output:
        print(f"\n{report.clear} checks clear; --format html has all of it, `nanprobe explain CHECK` more on a finding")
    return 0


def _capture_script(options: Any, folder: Path) -> tuple[bool, list[str] | None]:
    """Runs the script and writes its capture; whether it crashed, and what could not be recorded.

    Under torchrun only rank 0 writes; the others give None.
    """
    script = os.path.abspath(options.script)
    recorder = Recorder() if options.full else Recorder(options.steps, options.seconds)
    watching = nanprobe.Watch(recorder=recorder)
    argv, path = sys.argv, sys.path[:]
    sys.argv, sys.path[0:1] = [options.script, *options.arguments], [os.path.dirname(script), os.getcwd()]
    crashed = False
    # The script's own output is progress; standard output is the report's.
    with contextlib.redirect_stdout(sys.stderr):
        try:
            with watching:
                runpy.run_path(script, run_name="__main__")
        except Enough:
            pass
        except SystemExit as end:
            crashed = end.code not in (None, 0)
        except KeyboardInterrupt:
            print("nanprobe: stopped; diagnosing what was seen so far", file=sys.stderr)
        except BaseException as error:
            crashed = True
            _show(error)
            ended = f"the script ended with {type(error).__name__} after {recorder.steps()} steps"
            recorder.notes.insert(0, f"{ended}; this is about what ran until then")
        finally:
            sys.argv, sys.path[:] = argv, path
    if not recorder.forwards:
        raise ValueError(
            f"`{options.script}` ran no training: no model with parameters was called. Give the script that "
            "trains, with its arguments; a long preparation needs a higher --seconds"
        )
    if watching.ranks is not None and not watching.ranks.leads:
        return crashed, None
    watching.capture(folder)
    return crashed, recorder.notes + recorder.problems


def _show(error: BaseException) -> None:
    """The traceback as Python prints it for the script alone."""
    trace = error.__traceback__
    while trace is not None and not is_users(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    text = io.StringIO()
    traceback.print_exception(type(error), error, trace, file=text)
    print(text.getvalue(), end="", file=sys.stderr)


def _capture_factory(given: str, folder: Path) -> list[str]:
    file, _, name = given.rpartition(":")
    sys.path.insert(0, os.path.dirname(os.path.abspath(file)))
    spec = importlib.util.spec_from_file_location("nanprobe_factory", file)
    if spec is None or spec.loader is None:
        raise ValueError(f"`{file}` is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules["nanprobe_factory"] = module
    with contextlib.redirect_stdout(sys.stderr):
        spec.loader.exec_module(module)
        if not callable(getattr(module, name, None)):
            raise ValueError(f"`{file}` has no function `{name}`")
        made = getattr(module, name)()
        keys = ("model", "train_loader", "loss_fn", "optimizer", "val_loader")
        wanted = f"a tuple of {', '.join(keys[:-1])} and perhaps {keys[-1]}, or a dictionary of these"
        if not isinstance(made, (dict, tuple, list)):
            raise ValueError(f"`{name}` returned {type(made).__name__}; wanted is {wanted}")
        objects = dict(made) if isinstance(made, dict) else dict(zip(keys, made, strict=False))
        if unknown := set(objects) - {*keys, "metric", "scheduler"}:
            raise ValueError(f"`{name}` returned {', '.join(sorted(unknown))}; known are {', '.join(keys)}")
        if missing := [key for key in keys[:2] if objects.get(key) is None]:
            raise ValueError(f"`{name}` returned no {' and no '.join(missing)}; wanted is {wanted}")
        nanprobe.capture(**objects, folder=folder)
    return []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
