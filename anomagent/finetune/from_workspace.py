"""What a workspace has to learn from: the images of its data set, with the candidates that people accepted."""

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from anomagent.benchmark.annotations import base_name
from anomagent.errors import UsageError
from anomagent.finetune.selection import PARTS, Part, Selection, part_called
from anomagent.finetune.sources import Draft, Gathered, Told
from anomagent.state.findings import Status
from anomagent.store import Workspace
from anomagent.store.annotations import Listed, NewestAnalyses, reading_newest
from anomagent.store.fingerprints import read_fingerprints
from anomagent.store.judged import read_judged
from anomagent.store.splits import Member, count_parts, read_members

FINGERPRINTS: Final = "dct64-1"
"""The method of the fingerprints that `anomagent dataset` keeps; a test holds it to theirs."""

_ALL: Final[tuple[Status, ...]] = ("ok", "partial", "failed")


@contextmanager
def from_workspace(
    workspace: Workspace, run_id: str | None, split: str | None, selection: Selection, gathered: Gathered
) -> Generator[None]:
    """Add the newest finished analysis of each content in the data set; `split` is one of the workspace's.

    What is told of an image can be read while the context is open. Raises `UsageError` where there is no such run or
    split, nothing was finished, or nobody has decided anything about candidates.
    """
    if split is not None and split not in (known := count_parts(workspace)):
        there = (
            f"it has {', '.join(sorted(known))}" if known else "it has none; make one with `anomagent dataset split`"
        )
        raise UsageError(f"no file and no split {split!r} in workspace {workspace.path}; {there}")
    with reading_newest(workspace, run_id, "sha256", accepted=True, kept=True) as newest:
        tallies = newest.tallies().values()
        decided = sum(tally.accepted + tally.rejected + tally.unsure for tally in tallies)
        if not decided and any(tally.candidates for tally in tallies):
            raise UsageError(
                f"{newest.source}: nothing is accepted yet, nobody has reviewed a candidate; review some with "
                "`anomagent review`"
            )
        gathered.fingerprints = read_fingerprints(workspace, FINGERPRINTS)
        gathered.facts |= {"dropped_images": newest.dropped, "not_finished_images": newest.running}
        members = {member.sha256: member for member in read_members(workspace, split or "")}
        for listed in newest.listed(_ALL):
            member = members.get(listed.sha256)
            if member is None:  # it was filtered out this moment
                continue
            _gather(newest, workspace.path / member.path, listed, member, split, selection, gathered)
        yield


def _gather(
    newest: NewestAnalyses,
    path: Path,
    listed: Listed,
    member: Member,
    split: str | None,
    selection: Selection,
    gathered: Gathered,
) -> None:
    name = base_name(listed.image)
    names = {name, *map(base_name, member.names)}
    gathered.seen.update(dict.fromkeys(names, "the workspace"))
    parts = selection.parts_of(names) if split is None else _part(member, split)
    if not selection.allows(names):
        gathered.left_out.add("not allowed", name)
    elif not parts:
        gathered.left_out.add("in no part", name)
    elif listed.status == "failed":
        gathered.left_out.add("failed", name, "its analysis failed")
    else:
        tell = partial(_tell, newest, listed)
        gathered.drafts += [Draft(name, path, part, tell, member.sha256) for part in parts]


def _part(member: Member, split: str) -> list[Part]:
    part = part_called(member.part, f"split {split}") if member.part else None
    return [known for known in PARTS if known == part]


def _tell(newest: NewestAnalyses, listed: Listed) -> Told:
    judged = read_judged(newest, listed.id)
    partial_list = listed.status == "partial"
    return Told(judged.accepted, judged.rejected, judged.undecided, judged.description, partial_list)
