"""What `anomagent dataset leakage` prints."""

from typing import TYPE_CHECKING

from anomagent.cli.console import flat, note, plain, stdout
from anomagent.cli.scoring import note_some
from anomagent.report.costs import count

if TYPE_CHECKING:
    from anomagent.dataset.leakage import Finding, Leakage
    from anomagent.dataset.leakage_sources import Source


def print_leakage(found: "Leakage", source: "Source", show: int) -> None:
    """Print what was found of each kind, the first `show` of it, and by part how many images are affected."""
    console = stdout()
    for kind, checked in found.checked.items():
        some = [one for one in found.findings if one.kind == kind]
        missing = len(source.items) - checked
        if not checked:
            console.print(plain(f"{kind}: not checked, no image says anything of it", "bold"), soft_wrap=True)
            continue
        unchecked = f"; {missing:,} not checked" if missing else ""
        affected = sum(found.affected(kind).values())
        head = f"{kind}: {count(affected, 'image')} affected of {checked:,} checked{unchecked}"
        console.print(plain(head, "bold"), soft_wrap=True)
        for one in some[:show]:
            console.print(plain(f"  {_described(one)}"), soft_wrap=True)
        if len(some) > show:
            console.print(plain(f"  {len(some) - show:,} more; --show N", "dim"))
    for part, number in list(found.affected().items())[1:]:
        share = number / found.images[part]
        console.print(plain(f"{part}: {number:,} of {found.images[part]:,} images affected ({share:.2%})"))
    if found.common:
        first = ", ".join(f"{name} ({uses:,})" for name, uses in list(found.common.items())[:5])
        note(f"{count(len(found.common), 'name')} in too many images to identify anything: {first}; --common X")
    if source.without_part:
        note(f"{count(source.without_part, 'image')} without a part in this split, not looked at")
    note_some("not compared", [f"{name}: {reason}" for name, reason in source.unreadable.items()])


def _described(one: "Finding") -> str:
    more = f" and {one.others - 1:,} more" if one.others > 1 else ""
    why = f"distance {one.distance}" if one.distance is not None else flat(one.shared or "the same bytes")[:80]
    return f"{one.part} {one.image} ~ {one.other_part} {one.other}{more}: {why}"
