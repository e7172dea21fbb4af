"""Splits a workspace's data set: every image gets a part, which it keeps for good."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from anomagent.dataset.attempts import attempt
from anomagent.dataset.division import Clash, Division, Shares, divide, group, held
from anomagent.dataset.fingerprints import FLAT, METHOD, measure_fingerprints
from anomagent.dataset.places import checked_place
from anomagent.dataset.prompts import normal
from anomagent.dataset.split_files import Keys, Official, Unknown, Unlisted, parts_by_name, read_official, write_split
from anomagent.errors import ConfigurationError, UsageError
from anomagent.store import Workspace
from anomagent.store.fingerprints import read_fingerprints
from anomagent.store.splits import Member, Placed, read_left, read_members, read_standing, save_parts, split_settings
from anomagent.store.steps import dataset_step

DEFAULTS: Final[Mapping[str, Any]] = {
    "ratio": "train=1/2,test=1/2",
    "seed": 0,
    "group": ("near-duplicates", "prompts"),
    "distance": 6,
}
"""What a split is made by where nothing else is said."""
_LONGEST_NAME: Final = 100
_SHOWN: Final = 20
"""Clashes, and images of each, that a summary holds."""


@dataclass(frozen=True)
class Choices:
    """What a split is called and made by. None: as it was made at first, else by `DEFAULTS`."""

    name: str = "default"
    ratio: str | None = None
    seed: int | None = None
    group: tuple[str, ...] | None = None
    """What must not be on two sides: "near-duplicates", "prompts"."""
    distance: int | None = None
    """Bits of 64 in which fingerprints of near-duplicates differ at most."""
    file: Path | None = None
    """An official split."""
    unknown: Unknown = "error"
    unlisted: Unlisted = "error"


@dataclass(frozen=True)
class Split:
    """What came of it."""

    choices: Choices
    """All of them said."""
    division: Division
    images: int
    """Of the data set."""
    official: Official | None
    parts: Mapping[str, str] = field(repr=False)
    """By content hash."""
    unreadable: Mapping[str, str] = field(repr=False)
    """By content hash, why an image could not be read; near-duplicates of it were not found."""
    flat: int
    without_prompt: int

    def summary(self) -> dict[str, Any]:
        """All counts; shares are of the images that have a part."""
        total = len(self.parts)
        asked = Shares.parse(self.choices.ratio or "").shares
        parts = {part: self.division.parts.get(part, 0) for part in (*asked, *self.division.parts)}
        return {
            "name": self.choices.name,
            "images": self.images,
            "placed": len(self.division.placed) + (len(self.official.placed) if self.official else 0),
            "parts": {
                part: {
                    "images": count,
                    "share": round(count / total, 4) if total else None,
                    "asked": float(asked[part]) if part in asked else None,
                }
                for part, count in parts.items()
            },
            "without_part": self.images - total,
            "groups": self.division.groups,
            "largest_group": self.division.largest,
            "clashes": len(self.division.clashes),
            "clashes_shown": [_about(clash) for clash in self.division.clashes[:_SHOWN]],
            "unknown_names": len(self.official.unknown) if self.official else 0,
            "unlisted_images": len(self.official.unlisted) if self.official else 0,
            "unreadable": len(self.unreadable),
            "flat": self.flat,
            "without_prompt": self.without_prompt,
        }


def split(
    workspace: Workspace,
    choices: Choices,
    out: Path | None = None,
    *,
    keys: Keys = "base",
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Split:
    """Place all images that have no part in the split yet, and write its file, if `out` says where, by `keys`.

    Where somebody else places images in this split meanwhile, it is begun again. Raises `ConfigurationError` for
    choices that differ from those that the split was made by, `UsageError` for an official file that does not fit and
    for names that a split file cannot tell apart.
    """
    place = checked_place(workspace, out, overwrite) if out else None

    def work() -> tuple[Split, Mapping[str, list[str]]]:
        since = read_standing(workspace, choices.name)
        made, placed, names = _make(workspace, choices, keys if out else None, progress)
        with dataset_step(workspace, "split", asdict(made.choices)) as step:
            step.result = made.summary()
            save_parts(workspace, step, made.choices.name, placed, since)
        return made, names

    made, names = attempt(workspace, work)
    if out and place:
        write_split(place, out, names)
    return made


def _make(
    workspace: Workspace, choices: Choices, keys: Keys | None, progress: Callable[[int, int], None] | None
) -> tuple[Split, tuple[Placed, ...], Mapping[str, list[str]]]:
    """What would come of it, the images to place, and with `keys` the names of each part."""
    chosen = _settled(workspace, choices)
    shares = Shares.parse(chosen.ratio or "")
    unreadable = measure_fingerprints(workspace, progress) if "near-duplicates" in (chosen.group or ()) else {}
    members = list(read_members(workspace, chosen.name))
    if not members:
        raise UsageError(f"workspace {workspace.path}: its data set has no image; ingest some first")
    official = read_official(chosen.file, members, chosen.unknown, chosen.unlisted) if chosen.file else None
    fingerprints = read_fingerprints(workspace, METHOD)
    left = list(read_left(workspace, chosen.name))
    division = _divide(members, left, fingerprints, chosen, shares, official)
    placed = (*(official.placed if official else ()), *division.placed)
    parts = {member.sha256: member.part for member in members if member.part} | {one[0]: one[1] for one in placed}
    names = parts_by_name(members, parts, f"split {chosen.name}", keys) if keys else {}
    made = Split(
        chosen,
        division,
        len(members),
        official,
        parts,
        {member.sha256: unreadable[member.sha256] for member in members if member.sha256 in unreadable},
        sum(fingerprints.get(member.sha256) == FLAT for member in members),
        sum(not any(map(normal, member.prompts)) for member in members),
    )
    return made, placed, names


def _settled(workspace: Workspace, choices: Choices) -> Choices:
    """The choices with those that were not made filled in."""
    if not choices.name.strip() or len(choices.name) > _LONGEST_NAME or not choices.name.isprintable():
        raise ConfigurationError(f"--name {choices.name[:_LONGEST_NAME]!r}: is no name; give a short word")
    if choices.ratio is not None:
        choices = replace(choices, ratio=str(Shares.parse(choices.ratio)))
    made_by = split_settings(workspace, choices.name) or {}
    known = {**DEFAULTS, **{key: made_by[key] for key in DEFAULTS if key in made_by}}
    known["group"] = tuple(known["group"])
    for key, value in known.items():
        said = getattr(choices, key)
        if made_by and said is not None and said != value:
            shown = (",".join(known["group"]) or "none") if key == "group" else value
            raise ConfigurationError(f"split {choices.name!r} was made with --{key} {shown}; keep it, or give --name")
    return replace(choices, **{key: value for key, value in known.items() if getattr(choices, key) is None})


def _divide(
    members: list[Member],
    left: list[Member],
    fingerprints: Mapping[str, bytes],
    choices: Choices,
    shares: Shares,
    official: Official | None,
) -> Division:
    """Where the images go that neither have a part nor get one from the official file."""
    given = {one.sha256: one.part for one in official.placed} if official else {}
    members = [replace(member, part=member.part or given.get(member.sha256)) for member in members]
    if official and choices.unlisted == "leave":
        members = [member for member in members if member.part]
    kinds = choices.group or ()
    distance = choices.distance if "near-duplicates" in kinds else None
    groups = group(members, fingerprints, distance, "prompts" in kinds)
    wide = group([*members, *left], fingerprints, distance, "prompts" in kinds) if left else groups
    return divide(members, groups, shares, choices.seed or 0, held(members, left, wide))


def _about(clash: Clash) -> dict[str, Any]:
    members = [{"image": member.names[0], "part": member.part} for member in clash.members[:_SHOWN]]
    return {"parts": clash.parts, "new_ones_go_to": clash.part, "images": members}
