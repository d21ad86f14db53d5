"""Which line of the user's own code is running."""

from __future__ import annotations

import dis
import functools
import os
import sys
import sysconfig
from pathlib import Path
from types import FrameType
from typing import Any

Location = dict[str, Any]

_HERE = str(Path(__file__).parent) + os.sep
_STDLIB = tuple(sysconfig.get_paths()[key] + os.sep for key in ("stdlib", "platstdlib"))
_INSTALLED = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))


@functools.cache
def is_users(file: str) -> bool:
    """Whether a file is the user's: not an installed package's, nanprobe's or the standard library's."""
    if file.startswith("<"):
        return file.startswith(("<stdin", "<ipython"))
    return not (file.startswith((_HERE, *_STDLIB)) or any(part in file for part in _INSTALLED))


def at(file: str | None, line: int | None, module: str = "") -> Location:
    """A location in the evidence's form; the file relative to the working directory where it lies below it."""
    if file and not file.startswith("<"):
        relative = os.path.relpath(file)
        file = _cell(file) or (file if relative.startswith("..") else relative)
    return {"module": module, "file": file, "line": line}


def _cell(file: str) -> str | None:
    """The notebook's name for a cell, such as `In[4]`, which the kernel compiles as a file of its own."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    named = getattr(getattr(shell, "compile", None), "format_code_name", lambda _file: None)(file)
    return named[1] if named else None


def users_frame() -> Any:
    """The innermost frame of the user's code, or None where only libraries are running."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not is_users(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def here() -> Location | None:
    """The line of the user's code that is running."""
    frame = users_frame()
    return None if frame is None else at(frame.f_code.co_filename, frame.f_lineno)


def of_error(error: BaseException) -> Location | None:
    """The user's innermost line among those that an error came through."""
    found, trace = None, error.__traceback__
    while trace is not None:
        if is_users(trace.tb_frame.f_code.co_filename):
            found = at(trace.tb_frame.f_code.co_filename, trace.tb_lineno)
        trace = trace.tb_next
    return found


def assigned(code: Any, name: str, before: int | None = None) -> Location | None:
    """Where a function, or a script at its top level, last assigns a variable (ahead of a line)."""
    stores = [
        step.offset for step in dis.get_instructions(code) if step.opname.startswith("STORE") and step.argval == name
    ]
    lines = [line for start, end, line in code.co_lines() if line for offset in stores if start <= offset < end]
    lines = [line for line in lines if before is None or line <= before]
    return at(code.co_filename, max(lines)) if lines else None


def added_up(code: Any, name: str) -> bool:
    """Whether the last thing that a function does to a variable is `+=`: then it is a sum."""
    last = before = ""
    for step in dis.get_instructions(code):
        if step.opname.startswith("STORE") and step.argval == name:
            last = before
        before = step.argrepr if step.opname == "BINARY_OP" else step.opname
    return last in ("+=", "INPLACE_ADD")


def made(value: Any) -> Location | None:
    """Where the user's running function assigned the variable that holds this object."""
    frame = users_frame()
    if frame is None:
        return None
    name = next((name for name, held in list(frame.f_locals.items()) if held is value), None)
    return None if name is None else assigned(frame.f_code, name, frame.f_lineno)
