from __future__ import annotations

from pathlib import Path

import pytest

from anomagent.config import load_settings
from anomagent.errors import ConfigurationError


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_flags_win_over_the_environment_and_that_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("anomagent.toml").write_text('model = "a:file"\nschedule = "direct"\nscans = 1\n')
    monkeypatch.setenv("ANOMAGENT_MODEL", "a:environment")
    monkeypatch.setenv("ANOMAGENT_SCHEDULE", "lean")
    settings = load_settings(model="a:flag", schedule=None)
    assert (settings.model, settings.schedule, settings.scans) == ("a:flag", "lean", 1)


@pytest.mark.parametrize(
    ("name", "hint"), [("ANOMAGENT_SCHEDUL", "did you mean ANOMAGENT_SCHEDULE?"), ("ANOMAGENT_XYZZY", "settings")]
)
def test_a_misspelt_variable_is_refused(name: str, hint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "lean")
    with pytest.raises(ConfigurationError, match=name) as caught:
        load_settings()
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'modle = "x"', "unknown setting 'modle'"),
        (b"scans = 99", "'scans'"),
        (b"scans =", "not valid TOML"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_bad_file_is_said_in_one_line(content: bytes, said: str) -> None:
    Path("anomagent.toml").write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_password_in_the_base_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY") as caught:
        load_settings(base_url="http://me:secret@127.0.0.1:8000/v1")
    assert "secret" not in str(caught.value)
