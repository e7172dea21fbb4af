# pyright: basic
"""Whether a merged model says what base and adapter say: greedy tokens and logits, probe by probe."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from anomagent.finetune.serving.probes import Local, Probe

TOLERANCES: Final[Mapping[str, float]] = {"float32": 1e-3, "float16": 0.01, "bfloat16": 0.05}
"""By the format of the merged weights: how far logits may differ, as a part of the largest one of the reference."""


@dataclass(frozen=True)
class Reference:
    """What base and adapter say to one probe."""

    prompt: list[int]
    answer: list[int]
    logits: Any
    """Answer x vocabulary."""
    effect: float
    """The largest difference of a logit that the adapter makes to the base."""


@dataclass(frozen=True)
class Difference:
    """One probe's comparison. Differences are of logits along the reference's answer."""

    probe: str
    prompt_tokens: int
    prompt_equal: bool
    answer_tokens: int
    answer_equal: bool
    first_difference: int | None
    """The token, counted from 0, from which on the answers differ."""
    gap: float | None
    """There: how far the reference's choice lay before the merged model's."""
    largest: float
    mean: float
    scale: float
    """The largest logit of the reference."""
    effect: float


@dataclass(frozen=True)
class Parity:
    """The verdict over all probes. `reason` is empty where the merged model is as good as base and adapter."""

    stored: str
    """The number format of the merged weights."""
    computed: str
    tolerance: float
    reason: str
    probes: tuple[Difference, ...]

    @property
    def ok(self) -> bool:
        """Whether the merged model may stand for base and adapter."""
        return not self.reason

    def report(self) -> dict[str, Any]:
        """What parity.json says of it; None for a figure that is no number."""
        return {
            "ok": self.ok,
            "reason": self.reason or None,
            "stored": self.stored,
            "computed": self.computed,
            "tolerance": self.tolerance,
            "max_difference": _largest(probe.largest for probe in self.probes),
            "mean_difference": _finite(sum(probe.mean for probe in self.probes) / len(self.probes)),
            "largest_logit": _largest(probe.scale for probe in self.probes),
            "adapter_effect": _largest(probe.effect for probe in self.probes),
            "tokens_equal": all(probe.answer_equal for probe in self.probes),
            "probes": [{name: _finite(value) for name, value in asdict(probe).items()} for probe in self.probes],
        }


def reference(model: Local, probes: Sequence[Probe]) -> list[Reference]:
    """What the adapted model says, and how far the adapter moves it from the base."""
    said: list[Reference] = []
    for probe in probes:
        answer = model.answer(probe.request)
        logits = model.logits(probe.request, answer)
        with model.model.disable_adapter():
            plain = model.logits(probe.request, answer)
        said.append(Reference(model.prompt(probe.request), answer, logits, float((logits - plain).abs().max())))
    return said


def compare(model: Local, probes: Sequence[Probe], references: Sequence[Reference]) -> tuple[Difference, ...]:
    """The merged model against the references."""
    return tuple(_difference(model, probe, ours) for probe, ours in zip(probes, references, strict=True))


def judge(probes: tuple[Difference, ...], stored: str, computed: str, tolerance: float | None = None) -> Parity:
    """The verdict at a tolerance, by default that of the stored format (`TOLERANCES`).

    Logits may differ by tolerance x largest logit, and by less than half of what the adapter changes; answers must be
    equal up to a place where the reference itself hardly had a preference (twice the allowed difference).
    """
    part = TOLERANCES[stored] if tolerance is None else tolerance
    reason = next((reason for probe in probes if (reason := _reason(probe, part, stored))), "")
    return Parity(stored, computed, part, reason, probes)


def _difference(model: Local, probe: Probe, ours: Reference) -> Difference:
    prompt, answer = model.prompt(probe.request), model.answer(probe.request)
    apart = (model.logits(probe.request, ours.answer) - ours.logits).abs()
    place = _first_difference(ours.answer, answer)
    gap = None
    if place is not None and place < min(len(ours.answer), len(answer)):
        at = ours.logits[place]
        gap = float(at[ours.answer[place]] - at[answer[place]])
    return Difference(
        probe=probe.name,
        prompt_tokens=len(prompt),
        prompt_equal=prompt == ours.prompt,
        answer_tokens=len(ours.answer),
        answer_equal=place is None,
        first_difference=place,
        gap=gap,
        largest=float(apart.max()),
        mean=float(apart.mean()),
        scale=float(ours.logits.abs().max()),
        effect=ours.effect,
    )


def _reason(probe: Difference, tolerance: float, stored: str) -> str:
    allowed = tolerance * probe.scale
    name = f"probe {probe.probe}"
    if not probe.prompt_equal:
        return f"{name}: the merged folder makes other tokens of the same question and picture"
    if not probe.largest <= allowed:  # also where it is no number
        return f"{name}: logits differ by {probe.largest:.3g}, more than {allowed:.3g}"
    if not probe.largest < probe.effect / 2:
        return (
            f"{name}: logits differ by {probe.largest:.3g}, the adapter itself changes only {probe.effect:.3g};"
            f" {stored} rounds it away: give --dtype float32, or serve base and adapter"
        )
    if not probe.answer_equal and (probe.gap is None or probe.gap > 2 * allowed):
        return f"{name}: greedy answers differ from token {probe.first_difference} on"
    return ""


def _first_difference(ours: Sequence[int], theirs: Sequence[int]) -> int | None:
    if list(ours) == list(theirs):
        return None
    return next((n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs)))


def _largest(values: Iterable[float]) -> float | None:
    figures = list(values)
    return max(figures) if all(map(math.isfinite, figures)) else None


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def figure(value: float | None) -> str:
    """A figure of the report in words."""
    return "no number" if value is None else f"{value:.3g}"
