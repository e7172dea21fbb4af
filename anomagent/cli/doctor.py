"""`anomagent doctor`: whether this machine can do what the settings ask for, and what to do where it cannot."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from anomagent.cli.console import plain, print_json, stdout
from anomagent.cli.options import BaseUrlOption, ModelOption, RolesOption, WorkspaceOption, settings_of
from anomagent.errors import ConfigurationError

if TYPE_CHECKING:
    from anomagent.cli.checks import Check

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(
    model: ModelOption = None,
    base_url: BaseUrlOption = None,
    roles: RolesOption = None,
    workspace: WorkspaceOption = None,
    load: Annotated[bool, typer.Option("--load", help="Ask each model about a rendered scene.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a check, one a line.")] = False,
) -> None:
    """Check Python, extras, keys, models, server, workspace and checkpoints. Values of keys are never shown.

    With --load each model answers one call, which may cost money. Exit code 2: something that the configured models
    need is missing.

    Example: `anomagent doctor --model openai:gpt-4o`
    """
    from anomagent.cli.checks import Check, check_machine, check_settings

    checks = check_machine()
    try:
        settings = settings_of(roles, model=model, base_url=base_url, workspace=workspace)
        checks += check_settings(settings, load)
    except ConfigurationError as error:
        checks.append(Check("settings", "fail", str(error)))
    for check in checks:
        if json:
            print_json(asdict(check))
        else:
            _print(check)
    if any(check.status == "fail" for check in checks):
        raise typer.Exit(ConfigurationError.exit_code)


def _print(check: "Check") -> None:
    from rich.text import Text

    line = Text.assemble((f"{check.status:5}", _STYLES[check.status]), (f"{check.name}: ", "bold"), plain(check.detail))
    if check.fix:
        line.append_text(plain(f"; {check.fix}"))
    stdout().print(line, soft_wrap=True)
