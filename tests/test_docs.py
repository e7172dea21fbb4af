"""The docs are generated from the code or executed: what they say is what it does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.golden import assert_golden

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_command_reference_is_up_to_date() -> None:
    command = [sys.executable, "-m", "typer", "anomagent.cli.app", "utils", "docs", "--name", "anomagent"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert_golden(ROOT / "docs" / "cli.md", text)


def test_the_settings_are_documented() -> None:
    """Every setting with its default and its meaning, as a table."""
    from anomagent.config import Settings

    rows = [
        f"| `{name}` | {'' if field.default is None else f'`{field.default}`'} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    head = "# Settings\n\nBy flag where there is one, by `ANOMAGENT_NAME` in the environment, or in `anomagent.toml`."
    table = "\n".join(["| setting | default | meaning |", "| --- | --- | --- |", *rows])
    assert_golden(ROOT / "docs" / "settings.md", f"{head}\n\n{table}\n")


def test_the_python_example_runs(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    example = example.replace('"examples/', f'"{ROOT}/examples/')
    done = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"(\d+ .+\n)+", done.stdout), done.stdout
