"""Generators compared on the prompts that all of them drew: the same task for each."""

import unicodedata
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomagent.audit.measures import ImageTable
from anomagent.audit.resampling import estimate, estimate_difference
from anomagent.statistics.resampling import no_p_value

_CAP = 2


def fold_prompt(prompt: str) -> str:
    """A prompt as prompts are compared: Unicode normal form C, each run of white space one blank, none at the ends.

    Case stays: "Turkey" and "turkey" are different things to draw. "" is no prompt.
    """
    return " ".join(unicodedata.normalize("NFC", prompt).split())


def rows_by_prompt(table: ImageTable, prompts: Mapping[str, str]) -> dict[str, NDArray[np.float64]]:
    """By folded prompt, the mean of its images' rows [4]; `prompts` gives the prompt of an image by its key."""
    images: dict[str, list[int]] = {}
    for index, key in enumerate(table.keys):
        if prompt := fold_prompt(prompts.get(key, "")):
            images.setdefault(prompt, []).append(index)
    return {prompt: table.rows[indices].mean(axis=0) for prompt, indices in images.items()}


def compare_paired(
    generators: Mapping[str, Mapping[str, NDArray[np.float64]]], resamples: int, seed: int
) -> tuple[dict[str, Any] | None, str | None]:
    """The comparison over common prompts as JSON, or None and the reason why there is none.

    `generators` gives each generator's `rows_by_prompt`. A prompt is common where every generator has at least one
    analysed image of it; the unit that is averaged and resampled is the prompt. Differences are `a` minus `b` in
    `cap_mean`, so a negative one speaks for `a`. `p_value` is that of the pair alone, `p_adjusted` allows for the
    number of pairs (Holm); both are None for fewer than ten prompts, and `no_p_values` says so.
    """
    if len(generators) < 2:
        return None, "a comparison needs two generators"
    if without := [name for name, rows in generators.items() if not rows]:
        return None, f"no prompt is known for {', '.join(without)}"
    common = sorted(
        prompt for prompt in next(iter(generators.values())) if all(prompt in rows for rows in generators.values())
    )
    if not common:
        return None, "no prompt is common to all generators"
    tables = {name: np.stack([rows[prompt] for prompt in common]) for name, rows in generators.items()}
    return {
        "prompts": len(common),
        "generators": [_on_common(name, tables[name], len(generators[name]), resamples, seed) for name in tables],
        "pairs": _compare_pairs(tables, resamples, seed),
        "no_p_values": no_p_value(len(common), "common prompt"),
    }, None


def adjust_p_values(p_values: Sequence[float]) -> list[float]:
    """Holm's adjustment for the number of comparisons, in the order given; at most 1."""
    adjusted = list(p_values)
    highest = 0.0
    for done, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, p_values[index] * (len(p_values) - done)))
        adjusted[index] = highest
    return adjusted


def _on_common(name: str, rows: NDArray[np.float64], known: int, resamples: int, seed: int) -> dict[str, Any]:
    estimates = estimate(rows, resamples, seed)
    return {
        "generator": name,
        "prompts_known": known,
        **(estimates.values or {}),
        "intervals": estimates.intervals,
        "no_intervals": estimates.reason,
    }


def _compare_pairs(tables: Mapping[str, NDArray[np.float64]], resamples: int, seed: int) -> list[dict[str, Any]]:
    pairs = list(combinations(tables, 2))
    found = [estimate_difference(tables[a][:, _CAP] - tables[b][:, _CAP], resamples, seed) for a, b in pairs]
    adjusted = adjust_p_values([each.p_value for each in found if each.p_value is not None]) or [None] * len(found)
    return [
        {"a": a, "b": b, "difference": each.mean, "interval": each.interval, "p_value": each.p_value, "p_adjusted": p}
        for (a, b), each, p in zip(pairs, found, adjusted, strict=True)
    ]
