"""A scripted model: for tests, for trying the graph without a key, and for replaying a conversation."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator

from anomagent.errors import (
    BadRequest,
    ConfigurationError,
    CutOff,
    Malformed,
    ModelError,
    RateLimited,
    Refused,
    Unavailable,
)
from anomagent.models.samples import smallest
from anomagent.models.types import Completion, FinishReason, Request, Usage
from anomagent.state.classic_text import NO_ANOMALIES
from anomagent.state.context import AgentRole, AssessorRole, PredictorRole

Said = str | dict[str, Any] | BaseModel | Completion | ModelError
"""What the model says: raw text, a reply as data, a whole completion, or an error that is raised."""
Script = Said | Sequence[Said] | Callable[[Request], Said]
"""One thing for ever, one after another (the last for ever), or a function of the request."""

ROLES: Final[tuple[str, ...]] = (*get_args(AgentRole), *get_args(AssessorRole), *get_args(PredictorRole))
"""Whom a rule can be about."""
_ERRORS: dict[str, type[ModelError]] = {
    error.code: error for error in (Refused, CutOff, Malformed, RateLimited, Unavailable, BadRequest)
}


@dataclass
class Rule:
    """What to say to requests of this role, step, object and slot; None matches any."""

    says: Script
    role: str | None = None
    step: str | None = None
    object: str | None = None
    slot: int | None = None
    delay: float = 0.0
    """Seconds before the answer."""
    told: int = 0
    """How often the rule has answered."""

    def matches(self, request: Request) -> bool:
        """Whether the rule is about this request."""
        prompt = request.prompt
        pairs = (
            (self.role, prompt.role),
            (self.step, prompt.step),
            (self.object, request.object),
            (self.slot, request.slot),
        )
        return all(wanted is None or wanted == given for wanted, given in pairs)

    def say(self, request: Request) -> Said:
        """The next thing to say."""
        number, self.told = self.told, self.told + 1
        if callable(self.says):
            return self.says(request)
        if isinstance(self.says, Sequence) and not isinstance(self.says, str):
            return self.says[min(number, len(self.says) - 1)]
        return self.says


@dataclass
class FakeModel:
    """Answers by the first rule that matches, else with the smallest valid reply; `requests` is what it was asked."""

    rules: list[Rule] = field(default_factory=list[Rule])
    identity: str = "fake"
    requests: list[Request] = field(default_factory=list[Request])
    in_flight: int = 0
    most_in_flight: int = 0
    closed: bool = False

    def on(
        self,
        role: str | None = None,
        step: str | None = None,
        object: str | None = None,
        slot: int | None = None,
        *,
        says: Script,
        delay: float = 0.0,
    ) -> "FakeModel":
        """Add a rule behind the others; returns the model, so that rules can be chained."""
        self.rules.append(Rule(says, role, step, object, slot, delay))
        return self

    async def complete(self, request: Request) -> Completion:
        """Say what the script says."""
        self.requests.append(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            rule = next((rule for rule in self.rules if rule.matches(request)), None)
            await asyncio.sleep(rule.delay if rule else 0)
            return _completion(rule.say(request) if rule else _least(request), request)
        finally:
            self.in_flight -= 1

    async def aclose(self) -> None:
        """Note that it was closed."""
        self.closed = True

    @classmethod
    def from_file(cls, path: str | Path) -> "FakeModel":
        """Read a script: `{"rules": [{"role": ..., "step": ..., "object": ..., "slot": ..., "says": [...]}]}`.

        Each thing said has one of `text`, `reply` or `error` (a failure's code), and may have `finish_reason`.
        Raises `ConfigurationError` for a script that cannot be read, and for a role that nobody plays.
        """
        try:
            script = _ScriptFile.model_validate_json(Path(path).read_bytes())
        except OSError as error:
            raise ConfigurationError(f"fake:{path}: cannot read the script ({error.strerror})") from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place, reason = ".".join(map(str, first["loc"])) or "the file", first["msg"].removeprefix("Value error, ")
            raise ConfigurationError(f"fake:{path}: not a script; {place}: {reason}") from error
        return cls([rule.rule() for rule in script.rules], identity=f"fake:{Path(path).name}:{script.digest()}")


class _SaidInFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str | None = None
    reply: dict[str, Any] | None = None
    error: Literal["refused", "cut_off", "malformed", "rate_limited", "unavailable", "bad_request"] | None = None
    finish_reason: FinishReason = "stop"

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.reply is None) == (self.text is None and self.error is None):
            raise ValueError("needs one of text, reply and error (an error may have a text)")
        return self

    def said(self) -> Said:
        if self.error:
            return _ERRORS[self.error](self.text or f"scripted: {self.error}")
        text = self.text if self.text is not None else json.dumps(self.reply, ensure_ascii=False)
        return Completion(text, finish_reason=self.finish_reason)


class _RuleInFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: str | None = None
    step: str | None = None
    object: str | None = None
    slot: int | None = None
    delay: float = 0.0
    says: list[_SaidInFile] = Field(min_length=1)

    @field_validator("role")
    @classmethod
    def _is_played(cls, role: str | None) -> str | None:
        if role is not None and role not in ROLES:
            raise ValueError(f"there is no role {role!r}; choose one of {', '.join(ROLES)}")
        return role

    def rule(self) -> Rule:
        return Rule([said.said() for said in self.says], self.role, self.step, self.object, self.slot, self.delay)


class _ScriptFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rules: list[_RuleInFile] = []

    def digest(self) -> str:
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


def _least(request: Request) -> Said:
    """The smallest valid reply; in plain text, that there is nothing."""
    reply = request.prompt.reply
    return NO_ANOMALIES if reply.plain else smallest(reply.strict_schema())


def _completion(said: Said, request: Request) -> Completion:
    if isinstance(said, ModelError):
        raise copy(said)  # each call keeps its own cost in its own error
    if isinstance(said, Completion):
        return said
    text = said if isinstance(said, str) else TypeAdapter(Any).dump_json(said).decode()
    characters = len(request.prompt.system) + len(request.prompt.text)
    return Completion(text, Usage(input_tokens=characters // 4, output_tokens=len(text) // 4))
