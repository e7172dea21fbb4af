"""A few instances to read, as the model reads them, with what is learned set off from what is only read."""

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Final

from anomagent.finetune.instances import Instance
from anomagent.finetune.tokens import TokenCounter, shown_layout

BEGIN, END = "▶", "◀"
_SHOWN: Final = 3
_ANSWER: Final = re.compile(r"(<\|im_start\|>assistant\n)(.*?<\|im_end\|>)", re.DOTALL)
_INTRODUCTION: Final = f"""\
# Samples

What the model reads, in its own chat template. Between {BEGIN} and {END} lies what it learns; from the rest it learns
nothing. The control token that ends an answer is learned with it. Paths count from this folder.
"""


@dataclass
class Samples:
    """The first instances of a part, in the random order of contents, and the longest one."""

    part: str
    first: list[tuple[Instance, int, int]] = field(default_factory=list[tuple[Instance, int, int]])
    """Each with its tokens, and of those the image's."""
    longest: tuple[Instance, int, int] | None = None

    def see(self, instance: Instance, tokens: int, cells: int) -> None:
        """Look at an instance; a few are kept."""
        if len(self.first) < _SHOWN:
            self.first.append((instance, tokens, cells))
        if self.longest is None or tokens > self.longest[1]:
            self.longest = instance, tokens, cells

    def text(self, counter: TokenCounter) -> str:
        """These instances in Markdown."""
        shown = [*self.first]
        if self.longest and self.longest not in shown:
            shown.append(self.longest)
        return "".join(_section(self.part, counter, *one, longest=one == self.longest) for one in shown)


def samples_text(samples: list[Samples], counter: TokenCounter) -> str:
    """The whole page."""
    return _INTRODUCTION + "".join(one.text(counter) for one in samples)


def marked(counter: TokenCounter, instance: Instance, cells: int) -> str:
    """The layout of an instance, with marks around what is learned."""
    return _ANSWER.sub(rf"\1{BEGIN}\2{END}", shown_layout(counter, instance.turns, cells))


def _section(part: str, counter: TokenCounter, instance: Instance, tokens: int, cells: int, *, longest: bool) -> str:
    text = _printable(marked(counter, instance, cells)).rstrip("\n")
    fence = "`" * max(4, 1 + max(map(len, re.findall("`+", text)), default=0))
    note = ", the longest of its part" if longest else ""
    head = f"{part}, {tokens:,} tokens, {cells:,} of them the image{note}"
    return f"\n## {head}\n\n{fence}text\n{_printable(instance.image)}\n{fence}\n\n{fence}text\n{text}\n{fence}\n"


def _printable(text: str) -> str:
    """`text` without what moves cursors or turns the reading direction."""
    return "".join(char for char in text if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cf", "Cs"))
