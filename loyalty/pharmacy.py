"""A document to begin with in a pharmacy: three tiers, and goods that one does not promote.

Prescription medicines and baby formula may not be advertised in many countries: they earn nothing,
and points do not pay for them.
"""

from loyalty.programme_basics import ReferralBasics
from loyalty.programme_document import (
    EarningPart,
    ProgrammeDocument,
    SelectionPart,
    TierPart,
    TiersPart,
)

PHARMACY = ProgrammeDocument(
    earn_permille=30,
    earning=EarningPart(
        not_earning=SelectionPart(categories=frozenset({"Детские смеси"}), prescription=True),
        not_payable=SelectionPart(categories=frozenset({"Детские смеси"}), prescription=True),
    ),
    tiers=TiersPart(
        levels=(
            TierPart(code="base", name_ru="Базовый", name_en="Basic", from_minor=0),
            TierPart(
                code="silver",
                name_ru="Серебряный",
                name_en="Silver",
                from_minor=15_000_00,
                earn_permille=50,
            ),
            TierPart(
                code="gold",
                name_ru="Золотой",
                name_en="Gold",
                from_minor=40_000_00,
                earn_permille=70,
            ),
        )
    ),
    referral=ReferralBasics(),
)
"""Its categories are those of this house: `kapsula rules check` names what a chain calls else."""
