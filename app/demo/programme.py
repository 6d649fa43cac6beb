"""The rules that the owner of the demo has made of the settings: tiers, vitamins at weekends."""

from loyalty.programme_document import (
    EarningPart,
    MultiplierPart,
    ProgrammeDocument,
    SelectionPart,
    TierPart,
    TiersPart,
    WhenPart,
)
from loyalty.rules.programme import ProgrammeRules

_WEEKEND = frozenset({6, 7})


def demo_document(settings: ProgrammeRules) -> ProgrammeDocument:
    """The settings' values, with what only a document can say."""
    vitamins = MultiplierPart(
        code="vitamin-weekend",
        name_ru="Витаминные выходные",
        name_en="Vitamin weekend",
        times_percent=200,
        goods=SelectionPart(categories=frozenset({"Витамины и минералы"})),
        when=WhenPart(weekdays=_WEEKEND),
    )
    tiers = TiersPart(
        levels=(
            TierPart(code="base", name_ru="Базовый", name_en="Basic", from_minor=0),
            TierPart(
                code="silver",
                name_ru="Серебряный",
                name_en="Silver",
                from_minor=8_000_00,
                earn_permille=70,
            ),
            TierPart(
                code="gold",
                name_ru="Золотой",
                name_en="Gold",
                from_minor=25_000_00,
                earn_permille=100,
            ),
        )
    )
    return ProgrammeDocument.of(settings).model_copy(
        update={"earning": EarningPart(multipliers=(vitamins,)), "tiers": tiers}
    )
