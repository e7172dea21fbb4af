import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from anomagent.cli import console
from anomagent.cli.app import app
from anomagent.errors import AnomagentError, ConfigurationError, StoreError, UsageError
from tests.cli.conftest import Cli


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command, and every group of commands, as it is typed."""
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, (*path, name))


COMMANDS = [*_commands(typer.main.get_command(app))]


def _python(*arguments: str, **options: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(command: tuple[str, ...], cli: Cli) -> None:
    outcome = cli(*command, "--help")

    assert (outcome.code, outcome.err) == (0, "")
    if not any(other[:-1] == command for other in COMMANDS if other):  # no group
        assert f"Example: anomagent {' '.join(command)}" in outcome.out


def test_help_imports_nothing_heavy() -> None:
    heavy = ("torch", "transformers", "langgraph", "langchain", "langchain_core", "sqlite_utils", "PIL")
    program = f"""
import sys
sys.argv = ["anomagent", "run", "--help"]
from anomagent.cli import main
try:
    main()
finally:
    print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)
"""
    ended = _python("-c", program)

    assert ended.returncode == 0
    assert ended.stderr.strip() == "[]"


def test_module_runs_as_the_command() -> None:
    from anomagent import __version__

    ended = _python("-m", "anomagent", "--version")

    assert (ended.returncode, ended.stdout.strip()) == (0, f"anomagent {__version__}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("rum", "a.png"), "anomagent: No such command 'rum'. Did you mean 'run'? (see `anomagent --help`)\n"),
        (("run",), "anomagent: Missing argument 'IMAGE' (see `anomagent run --help`)\n"),
        (("run", "a.png", "--jsno"), "anomagent: No such option: --jsno"),
    ],
)
def test_wrong_use_is_one_line_and_code_2(arguments: tuple[str, ...], message: str, cli: Cli) -> None:
    outcome = cli(*arguments)

    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(message)
    assert outcome.err.count("\n") == 1


def test_group_without_command_prints_its_help(cli: Cli) -> None:
    outcome = cli("scenes")

    assert outcome.code == 2
    assert "render" in outcome.out
    assert outcome.err == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [(UsageError, 2), (ConfigurationError, 2), (StoreError, 3), (AnomagentError, 3)],
)
def test_our_errors_are_one_line_with_their_code(
    error: type[AnomagentError], code: int, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anomagent.cli.show.settings_of", _raising(error("first\nsecond \x1b[31mline")))
    outcome = cli("show", "x")

    assert (outcome.code, outcome.out, outcome.err) == (code, "", "anomagent: first second [31mline\n")


def test_interruption_says_how_to_go_on(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomagent.cli.show.settings_of", _raising(KeyboardInterrupt()))
    outcome = cli("show", "x")

    assert outcome.code == 130
    assert outcome.err == "anomagent: interrupted; finished calls are kept, run the same command again to resume\n"


def test_a_fault_of_ours_is_a_traceback_and_code_1(tmp_path: Path) -> None:
    program = """
import sys
import anomagent.cli.show
def broken(**flags):
    key = "sk-secret"
    raise ZeroDivisionError("bug")
anomagent.cli.show.settings_of = broken
sys.argv = ["anomagent", "show", "x"]
from anomagent.cli import main
main()
"""
    ended = _python("-c", program)

    assert ended.returncode == 1
    assert ended.stderr.startswith("Traceback (most recent call last)")
    assert "ZeroDivisionError: bug" in ended.stderr
    assert "sk-secret" not in ended.stderr


def test_closed_pipe_is_no_fault() -> None:
    program = """
import os, sys
sys.argv = ["anomagent", "--help"]
read, write = os.pipe()
os.close(read)
os.dup2(write, 1)
from anomagent.cli import main
main()
"""
    ended = _python("-c", program)

    assert (ended.returncode, ended.stderr) == (141, "")


def test_json_is_one_line_of_characters_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_json({"name": "椅子 <b> & ü", "half": "\ud83d", "lines": "a\nb"})

    assert capsys.readouterr().out == '{"name": "椅子 <b> & ü", "half": "\\ud83d", "lines": "a\\nb"}\n'


def _raising(error: BaseException):
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail
