import pytest

from anomagent.benchmark.titles import check_label
from anomagent.errors import ConfigurationError


@pytest.mark.parametrize("label", [None, "flux", "Поток 3.5", "x" * 9])
def test_names(label: str | None) -> None:
    check_label("--source", label, 9)


@pytest.mark.parametrize("label", ["", " \t", "x" * 10, "a\nb", "a\x1b[1m", "a\u202eb", "a\udcff"])
def test_what_is_no_name_is_one_line(label: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^--source .*: give a name of 1 to 9 characters, one line") as caught:
        check_label("--source", label, 9)
    assert str(caught.value).isprintable()
