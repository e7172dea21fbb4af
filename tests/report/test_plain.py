from hypothesis import given
from hypothesis import strategies as st

from anomagent.report.plain import printable


@given(st.text(st.characters()))
def test_what_is_printable_can_be_encoded_and_moves_no_cursor(text: str) -> None:
    shown = printable(text)

    shown.encode("utf-8")
    assert not any(ord(letter) < 32 and letter not in "\n\t" for letter in shown)
    assert printable(shown) == shown


def test_letters_of_all_scripts_stay() -> None:
    text = "Ärger, 椅子, كرسي, 👩‍🔧\n\tx"

    assert printable(text) == text
    assert printable("\x1b[31mred\x07\u202e\udc80") == "[31mred�"
