"""An installation without extras: no numpy, no torch, nothing that they bring."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PIL import Image

BLOCKED = ("numpy", "torch", "transformers", "tokenizers", "peft", "psycopg", "langgraph_cli", "langgraph_api")
ANALYSE = f"""
import sys
for name in {BLOCKED!r}:
    sys.modules[name] = None
import anomagent.cli.model_checks
from anomagent.cli import main
sys.argv = ["anomagent", *sys.argv[1:]]
main()
"""


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", ANALYSE, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_model_behind_a_server_needs_no_extra(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    (tmp_path / "script.json").write_text('{"rules": []}')
    done = _run(tmp_path, "run", "a.png", "--model", "fake:script.json", "--json")
    assert (done.returncode, '"status": "ok"' in done.stdout) == (0, True), done.stderr


def test_the_embedded_model_says_which_extra_it_needs(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    done = _run(tmp_path, "run", "a.png", "--json")
    assert done.returncode in (2, 3)
    assert "anomagent[local]" in done.stderr
    assert "Traceback" not in done.stderr
