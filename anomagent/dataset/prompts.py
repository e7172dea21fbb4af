"""Prompts compared: which are equal but for how they are typed, and which things they name."""

import re
import unicodedata
from itertools import pairwise
from typing import Final

_LONGEST: Final = 20_000
"""Characters of a prompt that are looked at for names."""
_QUOTED: Final = re.compile(r"\"([^\"\n]{2,100})\"|“([^”\n]{2,100})”|«([^»\n]{2,100})»|「([^」\n]{2,100})」")
_WORD: Final = re.compile(r"[^\W\d_][\w'’.-]*[\w]|[^\W\d_]|[.!?:;,\n()\[\]|]|\S")
_STOP: Final = frozenset(".!?:\n")
"""What ends a sentence."""
_LINKS: Final = frozenset("of the de la le da di du van von der den del el al".split())  # noqa: SIM905
"""Small words that stand within names."""
_OPENERS: Final = frozenset(
    "a an the this that these those one two three four five some many several his her their its my our in on at by "  # noqa: SIM905
    "with photo photograph image picture portrait painting illustration render close-up view shot scene".split()
)
"""What prompts begin with: articles, numbers, and the words for a picture."""
_SMALL: Final = _LINKS | frozenset("a an and in on at by with to for from into over near as or".split())  # noqa: SIM905
"""Words that have a capital within a sentence only where all words have one."""


def normal(prompt: str) -> str:
    """`prompt` as it is compared: case, punctuation, white space and Unicode's variants of a letter do not count.

    A prompt of nothing but punctuation is "".
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", prompt).casefold())
    kept = (
        " " if category.startswith("P") else "" if category == "Cf" else character
        for character, category in ((character, unicodedata.category(character)) for character in folded)
    )
    return " ".join("".join(kept).split())


def names_in(prompt: str) -> frozenset[str] | None:
    """What a prompt names, normalised: quoted texts, and by their capitals the proper names.

    A proper name is a run of words with a capital first letter, small words such as "of" between them. Words that
    open prompts ("A", "Photo") are cut off its front. A single word counts where no sentence begins with it and it is
    no abbreviation ("HDR").
    None where the capitals say nothing and nothing is quoted: the whole prompt is in title case or in
    capitals.
    A rule, no recognition: it misses names in lower case and takes other capitalised words, such as cameras', for some.
    """
    text = prompt[:_LONGEST]
    quoted = {normal(next(filter(None, match.groups()))) for match in _QUOTED.finditer(text)} - {""}
    words = _WORD.findall(_QUOTED.sub(" ", text))
    if _shouts(words):
        return frozenset(quoted) or None
    return frozenset(quoted | {normal(" ".join(run)) for run in _runs(words)} - {""})


def _shouts(words: list[str]) -> bool:
    """Whether the capitals say nothing: most letters are capitals, or small words have one within sentences."""
    letters = [letter for word in words for letter in word if letter.isalpha()]
    small = [word for before, word in pairwise(words) if before not in _STOP and word.lower() in _SMALL]
    capital = sum(word[0].isupper() for word in small)
    return 2 * sum(map(str.isupper, letters)) > len(letters) > 1 or capital > len(small) - capital


def _runs(words: list[str]) -> list[list[str]]:
    """The runs of capitalised words that are names."""
    runs: list[list[str]] = []
    run: list[str] = []
    opens = begins = True
    for word in [*words, "\n"]:
        if word[0].isupper() and word[0].isalpha():
            begins = begins if run else opens
            run.append(word)
        elif not (run and word.lower() in _LINKS):
            runs += _name(run, begins)
            run = []
        else:
            run.append(word)
        opens = word in _STOP
    return runs


def _name(run: list[str], begins: bool) -> list[list[str]]:
    """The name in a run of capitalised words and links, as a list of one; none where it is no name."""
    while run and run[-1].lower() in _LINKS:
        run = run[:-1]
    while run and run[0].lower() in _OPENERS:
        run, begins = run[1:], False
    alone = len(run) == 1 and not begins and any(map(str.islower, run[0]))
    return [run] if len(run) > 1 or alone else []
