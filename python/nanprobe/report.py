"""Running the engine, and its answer as an object."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ._where import at

FINDINGS = ("confirmed", "contributing", "suspected")


class EngineError(RuntimeError):
    """The engine is missing, or could not answer; says what to do."""


@dataclass(frozen=True)
class Verdict:
    """One check's verdict; before and after are balanced accuracies, 0..1, without and with the fix."""

    rank: int | None
    check: str
    status: str
    severity: str | None
    message: str
    measured: str
    fix: str
    before: float | None
    after: float | None
    location: str | None
    explained_by: str | None = None  # the check whose fix makes this finding go away

    @property
    def advice(self) -> str:
        """What to do about it; nothing of its own where another finding's fix makes it go away."""
        return f"nothing of its own: it goes away with {self.explained_by}" if self.explained_by else self.fix

    @classmethod
    def of(cls, given: dict[str, Any]) -> Verdict:
        effect = given.get("effect") or {}
        place = given.get("location") or {}
        file = at(place.get("file"), None)["file"]
        file = f"{file}:{place['line']}" if file and place.get("line") else file
        return cls(
            given.get("rank"),
            given["check"],
            given["status"],
            given.get("severity"),
            given["message"],
            given["measured"],
            given.get("remedy", ""),
            _number(effect.get("before")),
            _number(effect.get("after")),
            file or place.get("module") or None,
            given.get("explained_by"),
        )


@dataclass
class Report:
    """A diagnosis. In a notebook it shows itself; `print(report)` is a table."""

    diagnosis: dict[str, Any]
    exit_code: int = 0
    evidence: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def headline(self) -> str:
        return self.diagnosis["headline"]

    @property
    def verdicts(self) -> list[Verdict]:
        """Findings first, by rank."""
        return [Verdict.of(verdict) for verdict in self.diagnosis["verdicts"]]

    @property
    def ok(self) -> bool:
        """Whether the engine found nothing that keeps the model from learning."""
        return self.exit_code == 0

    def to_dict(self) -> dict[str, Any]:
        return self.diagnosis

    def to_json(self) -> str:
        return json.dumps(self.diagnosis, indent=2)

    def save(self, path: str | Path) -> None:
        """Writes the report: a path that ends in .json as the engine gave it, one in .html as a page of its own.

        Raises EngineError where the page cannot be written, ValueError for another ending.
        """
        path = Path(path)
        if path.suffix == ".json":
            path.write_text(self.to_json() + "\n", encoding="utf-8")
        elif path.suffix == ".html":
            command = [find_engine(), "report", "-", "--format", "html", "-o", str(path)]
            ran = subprocess.run(command, input=self.to_json(), capture_output=True, text=True)
            if ran.returncode == 2:
                raise EngineError(f"cannot write `{path}`: {ran.stderr.strip()}")
        else:
            raise ValueError(f"cannot write `{path}`: the name must end in .json or .html")

    @property
    def clear(self) -> int:
        """How many checks found nothing."""
        return sum(verdict.status == "clear" for verdict in self.verdicts)

    def findings(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.status in FINDINGS]

    def __str__(self) -> str:
        lines = [self.headline, ""]
        for v in self.findings():
            gain = f"  {v.before:.0%} -> {v.after:.0%}" if v.before is not None and v.after is not None else ""
            lines.append(f"{v.rank or '-':>2}  {v.check}  ({v.status} {v.severity}){gain}")
            lines += [f"    at        {v.location}"] if v.location else []
            lines += [f"    measured  {v.measured}", f"    what to do  {v.advice}"]
        lines += ["", f"{self.clear} checks clear"]
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(_row(verdict) for verdict in self.findings())
        head = "".join(f"<th>{name}</th>" for name in ("#", "fault", "where", "measured", "effect", "what to do"))
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""
        symptom = self.diagnosis.get("symptom") or {}
        losses = self.evidence.get("losses") or symptom.get("losses") or []
        notes = "".join(f"<p><small>{html.escape(note)}</small></p>" for note in self.notes)
        return (
            f'<div class="nanprobe"><style>{_STYLE}</style><p><b>{_text(self.headline)}</b></p>{table}'
            f"{_curve(losses, symptom.get('ln_classes'))}{notes}</div>"
        )


# currentColor and half-transparent greys: readable on a light and on a dark page.
_STYLE = """
.nanprobe table{border-collapse:collapse;width:100%;table-layout:auto!important}
.nanprobe table td,.nanprobe table th{border-bottom:1px solid #8885;padding:.3em .6em;text-align:left!important;
vertical-align:top;overflow-wrap:anywhere}
.nanprobe svg{color:inherit;max-width:100%}"""


def _row(v: Verdict) -> str:
    cells = [
        str(v.rank or ""),
        f"<b>{v.check}</b><br>{v.status} {v.severity}",
        html.escape(v.location or ""),
        _text(v.measured),
        _bars(v.before, v.after),
        _text(v.advice),
    ]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _text(plain: str) -> str:
    """With what stands between backticks as code."""
    return re.sub("`([^`]*)`", r"<code>\1</code>", html.escape(plain))


def _bars(before: float | None, after: float | None) -> str:
    """Accuracy without the fix above accuracy with it."""
    if before is None or after is None:
        return ""
    bars = "".join(
        f'<rect x="0" y="{y}" width="{80 * share:.1f}" height="10" fill="{colour}"/>'
        f'<text x="{80 * share + 4:.1f}" y="{y + 9}" font-size="10" fill="currentColor">{share:.0%}</text>'
        for y, share, colour in ((0, before, "#8888"), (14, after, "#2a9d5c"))
    )
    return f'<svg width="120" height="26" role="img" aria-label="{before:.0%} to {after:.0%}">{bars}</svg>'


def _curve(losses: list[Any], chance: Any) -> str:
    """The loop's loss by step, with the loss of guessing as a dashed line."""
    points = [(i, value) for i, value in enumerate(map(_number, losses)) if value is not None]
    if len(points) < 2:
        return ""
    chance, width, height = _number(chance), 420, 120
    top = 1.1 * max([value for _, value in points] + [chance or 0.0]) or 1.0

    def y(value: float) -> float:
        return height - height * value / top

    path = " ".join(f"{width * i / points[-1][0]:.1f},{y(value):.1f}" for i, value in points)
    line = ""
    if chance:
        line = (
            f'<line x1="0" x2="{width}" y1="{y(chance):.1f}" y2="{y(chance):.1f}" stroke="currentColor" '
            f'stroke-dasharray="4 4" opacity=".6"/><text x="{width + 4}" y="{y(chance) + 4:.1f}" font-size="11" '
            f'fill="currentColor">guessing {chance:.2f}</text>'
        )
    return (
        f'<svg width="{width + 110}" height="{height + 18}" role="img" aria-label="loss by step"><polyline fill="none" '
        f'stroke="#3b82c4" stroke-width="1.5" points="{path}"/>{line}<text x="0" y="{height + 14}" font-size="11" '
        f'fill="currentColor">loss of your loop, {len(points)} steps</text></svg>'
    )


def _number(value: Any) -> float | None:
    """A finite number, or None: NaN and infinities come as strings."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def find_engine() -> str:
    """The engine: NANPROBE_BIN, beside the package, beside this Python, or on PATH."""
    given = os.environ.get("NANPROBE_BIN")
    if given:
        if not Path(given).is_file():
            raise EngineError(f"NANPROBE_BIN names `{given}`, which is no file")
        return given
    beside = [Path(__file__).parent / "bin" / "nanprobe", Path(sys.executable).parent / "nanprobe"]
    found = next((str(path) for path in beside if path.is_file()), None) or shutil.which("nanprobe")
    if found is None:
        raise EngineError(
            "the nanprobe engine was not found: build it with `cargo build --release` and put target/release "
            "on PATH, or set NANPROBE_BIN to the binary"
        )
    return found


def run_engine(folder: Path, options: dict[str, Any], notes: list[str] | None = None) -> Report:
    """Diagnoses a capture folder; where it holds no model, judges what was recorded. Raises EngineError."""
    evidence = json.loads((folder / "evidence.jsonl").read_text(encoding="utf-8"))["value"]
    notes = list(notes or [])
    if (folder / "model.pt2").is_file():
        command = ["diagnose", "--config", folder / "nanprobe.toml", "--evidence", folder / "evidence.jsonl", "--quiet"]
        for name, value in options.items():
            command += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
    else:
        command = ["judge", folder / "evidence.jsonl"]
        error = evidence["export_error"]
        notes.insert(0, f"judged without experiments: {error['message']}{_at(error['location'])}")
    ran = subprocess.run([find_engine(), *map(str, command), "--format", "json"], capture_output=True, text=True)
    try:
        diagnosis = json.loads(ran.stdout)
    except json.JSONDecodeError:
        raise EngineError(
            f"the engine gave no answer (exit code {ran.returncode}): {ran.stderr.strip()[-2000:]}"
        ) from None
    return Report(diagnosis, ran.returncode, evidence, notes)


def _at(location: dict[str, Any] | None) -> str:
    return f" ({location['file']}:{location['line']})" if location else ""
