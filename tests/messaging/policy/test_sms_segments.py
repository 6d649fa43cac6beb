"""What an SMS costs: the table that the price list is read by, and that no pair is torn apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.policy.sms_segments import (
    GSM_BASIC,
    GSM_EXTENDED,
    Encoding,
    Segments,
    encoding_of,
    segments,
    split,
    ucs2_characters,
)

TABLE: dict[str, tuple[str, Encoding, int, int]] = {
    "nothing at all": ("", "gsm7", 0, 1),
    "160 GSM characters": ("a" * 160, "gsm7", 160, 1),
    "161 GSM characters": ("a" * 161, "gsm7", 161, 2),
    "306 fill two parts": ("a" * 306, "gsm7", 306, 2),
    "307 need a third": ("a" * 307, "gsm7", 307, 3),
    "the euro counts two": ("€", "gsm7", 2, 1),
    "80 euros fill one": ("€" * 80, "gsm7", 160, 1),
    "81 euros": ("€" * 81, "gsm7", 162, 2),
    # 306 septets are 2 × 153, but 153 is odd: a part holds 76 pairs, so the last one is left over.
    "an escape pair is not torn": ("€" * 153, "gsm7", 306, 3),
    "a pair at the seam moves on": ("a" * 152 + "€" + "a" * 152, "gsm7", 306, 3),
    "a pair before the seam stays": ("a" * 151 + "€" + "a" * 153, "gsm7", 306, 2),
    "brackets count two": ("[]{}\\^~|\f", "gsm7", 18, 1),
    "line ends count one": ("a\r\nb", "gsm7", 4, 1),
    "Greek capitals are GSM": ("ΔΦΓΛΩΠΨΣΘΞ", "gsm7", 10, 1),
    "70 Cyrillic letters": ("ж" * 70, "ucs2", 70, 1),
    "71 Cyrillic letters": ("ж" * 71, "ucs2", 71, 2),
    "134 fill two parts": ("ж" * 134, "ucs2", 134, 2),
    "150 Cyrillic letters": ("ж" * 150, "ucs2", 150, 3),
    "one letter makes all UCS-2": ("a" * 160 + "ж", "ucs2", 161, 3),
    "the euro counts one in UCS-2": ("ж€", "ucs2", 2, 1),
    "an emoji counts two": ("😀", "ucs2", 2, 1),
    "35 emoji": ("😀" * 35, "ucs2", 70, 1),
    "36 emoji": ("😀" * 36, "ucs2", 72, 2),
    # 67 is odd: a part holds 33 pairs, so 134 units of emoji need a third part.
    "a surrogate pair is not torn": ("😀" * 67, "ucs2", 134, 3),
    "small ç is not GSM": ("ç", "ucs2", 1, 1),
    "typographic quotes are not GSM": ("“a”", "ucs2", 3, 1),
    "a no-break space is not GSM": ("1\xa0000", "ucs2", 5, 1),
}


@pytest.mark.parametrize(("text", "encoding", "units", "parts"), TABLE.values(), ids=TABLE.keys())
def test_what_a_text_takes(text: str, encoding: Encoding, units: int, parts: int) -> None:
    assert segments(text) == Segments(encoding, units, parts)


def test_the_alphabet_is_that_of_the_standard() -> None:
    assert len(GSM_BASIC) == 127  # 128 codes, one of which is the escape
    assert len(set(GSM_BASIC + GSM_EXTENDED)) == 127 + 10
    places = {0x00: "@", 0x09: "Ç", 0x10: "Δ", 0x1A: "Ξ"}
    places |= {i: chr(i) for i in range(0x25, 0x40)}  # after 0x1B the place is one less than it
    assert all(GSM_BASIC[i - (i > 0x1B)] == character for i, character in places.items())


@pytest.mark.parametrize(
    ("text", "forcing"),
    [
        ("plain [text] 5€", []),
        ("Скидка 5%", ["С", "к", "и", "д", "а"]),
        ("“five” – six", ["“", "”", "–"]),
        ("😀 and 😀", ["😀"]),
    ],
    ids=lambda value: str(value),
)
def test_which_characters_make_it_dear(text: str, forcing: list[str]) -> None:
    assert ucs2_characters(text) == forcing


texts = st.one_of(
    st.text(GSM_BASIC + GSM_EXTENDED, max_size=500),
    st.text("a€", max_size=700),
    st.text("ж😀", max_size=400),
    st.text(max_size=400),
)


@given(texts)
def test_the_parts_are_the_text_and_each_fits_and_none_is_needless(text: str) -> None:
    found, parts = segments(text), split(text)
    assert "".join(parts) == text
    assert len(parts) == found.parts
    sizes = [_size(part, found.encoding) for part in parts]
    assert sum(sizes) == found.units
    alone, room = (160, 153) if found.encoding == "gsm7" else (70, 67)
    assert max(sizes) <= (alone if len(parts) == 1 else room)
    for size, following in zip(sizes, parts[1:], strict=False):
        assert size + _size(following[0], found.encoding) > room


@given(texts)
def test_without_the_forcing_characters_the_text_is_gsm(text: str) -> None:
    forcing = ucs2_characters(text)
    assert (encoding_of(text) == "gsm7") == (forcing == [])
    kept = "".join(character for character in text if character not in forcing)
    assert encoding_of(kept) == "gsm7"


def _size(text: str, encoding: str) -> int:
    """Counted in what goes over the air: real UTF-16, and the escapes written out."""
    if encoding == "ucs2":
        return len(text.encode("utf-16-be")) // 2
    return sum(2 if character in GSM_EXTENDED else 1 for character in text)
