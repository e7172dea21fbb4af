"""How many tokens instances take: a count for each, in four bytes, and what can be said of all of them."""

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

_MOST_BINS: Final = 16
_BAR: Final = 40


@dataclass
class TokenCounts:
    """The instances of one part."""

    totals: "array[int]" = field(default_factory=lambda: array("I"))
    image: int = 0
    """Tokens of images, over all instances."""

    def add(self, total: int, image: int) -> None:
        """Note an instance."""
        self.totals.append(total)
        self.image += image

    def bins(self) -> Iterator[tuple[int, int, int]]:
        """(above, up to, instances) of bins of one width, a power of two, from the shortest to the longest."""
        least, most = min(self.totals), max(self.totals)
        width = 1 << ((most - least) // _MOST_BINS).bit_length()
        counts = Counter((total - 1) // width for total in self.totals)
        for place in range((least - 1) // width, (most - 1) // width + 1):
            yield place * width, (place + 1) * width, counts[place]

    def summary(self) -> dict[str, Any]:
        """Sum, mean, quantiles and bins, of at least one instance."""
        ordered = sorted(self.totals)
        last = len(ordered) - 1
        return {
            "sum": sum(ordered),
            "of_images": self.image,
            "mean": round(sum(ordered) / len(ordered), 1),
            "least": ordered[0],
            "median": ordered[last // 2],
            "p95": ordered[last * 95 // 100],
            "most": ordered[last],
            "histogram": [{"above": low, "up_to": high, "instances": count} for low, high, count in self.bins()],
        }


def histogram_lines(bins: Sequence[Mapping[str, int]]) -> list[str]:
    """A line with a bar for each bin of a summary."""
    highest = max(bin["instances"] for bin in bins)
    return [
        f"{bin['above'] + 1:>6,} to {bin['up_to']:>6,} {'█' * -(-bin['instances'] * _BAR // highest):<{_BAR}} "
        f"{bin['instances']:>9,}"
        for bin in bins
    ]
