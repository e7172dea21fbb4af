"""The names that other people's code imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import anomagent


def test_public_names() -> None:
    assert sorted(anomagent.__all__) == ["Analysis", "Analyzer", "Anomaly", "__version__", "analyze"]


@pytest.mark.parametrize("name", anomagent.__all__)
def test_every_public_name_can_be_had(name: str) -> None:
    assert getattr(anomagent, name)


def test_other_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'analyse'"):
        anomagent.analyse  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]


def test_importing_the_package_is_light() -> None:
    """It loads neither torch nor the graph."""
    code = "import sys, anomagent; print({'torch', 'transformers', 'langgraph', 'pydantic'} & sys.modules.keys())"
    root = Path(anomagent.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
