"""Which texts name a prescription drug."""

import pytest

from messaging.policy.advertising import drugs, named

KNOWN = drugs(
    [
        "Амлодипин 5 мг табл. №30",
        "Амлодипин 10 мг табл. №30",
        "Урсодезоксихолевая кислота 250 мг капс. №50",
        "Мазь Гидрокортизон 1 % 10 г",
        "Ибупрофен 800 мг табл. №20",
        "L-Тироксин 50 мкг табл.",
        "АЦЦ 200",
        "Озёрин №10",
        "Diclofenac 50 mg tablets",
        "Капли глазные 0,5 %",
    ],
    ["Ибупрофен 200 мг табл. №20", "Мазь от синяков", "Капли для ушей", "№1"],
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("Витамины и минералы", []),
        ("Амлодипин", ["амлодипин"]),
        ("АМЛОДИПИНА, амлодипином и амлодипину", ["амлодипин"]),
        ("скидка на «амлодипин»!", ["амлодипин"]),
        ("амлодипиноподобный", []),
        ("Урсодезоксихолевой кислоты", ["урсодезоксихолевая"]),
        ("Аскорбиновая кислота", []),
        ("гидрокортизоновая", ["гидрокортизон"]),
        ("Мазь от синяков и капли для ушей", []),
        ("Ибупрофен 200 мг", []),
        ("тироксина", []),
        ("L-тироксина", ["l-тироксин"]),
        ("озерина и ОЗЁРИН", ["озерин"]),
        ("diclofenac", ["diclofenac"]),
        ("Амлодипин-Тева", ["амлодипин"]),
        ("Амлодипин против Diclofenac", ["амлодипин", "diclofenac"]),
    ],
)
def test_a_drug_is_known_by_its_word_in_any_case(text: str, found: list[str]) -> None:
    assert named(text, KNOWN) == found


def test_where_the_word_is_shared_the_whole_name_counts() -> None:
    known = drugs(["Нурофен форте 400 мг"], ["Нурофен 200 мг"])
    assert named("Нурофен для детей", known) == []
    assert named("Нурофен Форте, 400 мг — дешевле", known) == ["Нурофен форте 400 мг"]


def test_a_large_catalogue_and_a_long_text_take_no_time() -> None:
    letters = "абвгдежзик"
    names = [
        f"{a}{b}{c}{d}олитин 5 мг"
        for a in letters for b in letters for c in letters for d in letters
    ]  # fmt: skip
    known = drugs(names, [])
    assert len(known.stems) == 10_000
    assert named("обычные слова рекламы " * 5_000 + "абвголитина", known) == ["абвголитин"]
