"""docs/notebook.ipynb, run by a real kernel: the report shows itself where the notebook says it does."""

import os
import shutil

import pytest
from conftest import EXPORTS, ROOT

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")


@pytest.mark.skipif(not EXPORTS, reason="this torch cannot export")
@pytest.mark.skipif(
    not (os.environ.get("NANPROBE_BIN") or shutil.which("nanprobe")), reason="the engine is not there: set NANPROBE_BIN"
)
def test_the_notebook_runs_and_shows_what_it_says(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "python"))
    notebook = nbformat.read(ROOT / "docs/notebook.ipynb", 4)
    kept = shown(notebook)
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    fresh = shown(notebook)
    for reports in (kept, fresh):
        broken, mended = reports
        assert "Fix 1 thing" in broken and "<b>foreign-parameters-in-optimizer</b>" in broken and "<svg" in broken
        assert "foreign-parameters-in-optimizer" not in mended and "error" not in mended


def shown(notebook) -> list[str]:
    """The reports that are shown, as HTML."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return [o["data"]["text/html"] for o in outputs if "text/html" in o.get("data", {})]
