"""Texts that carry weight: the wording of consents, and a sentence for every refusal."""

import hashlib

import pytest

from bot.dialogues import join
from bot.refusal_texts import SENTENCES, refusal_text
from bot.words import Words, speaking
from loyalty.refusals import No, Refusal
from messaging.i18n import LANGUAGES

WORDINGS = {"2026-11": "45d71c8506303123"}
"""What was shown under each version. A changed text needs a new version and a new line here."""

MEETABLE = {
    *(No.INVALID_PHONE, No.CONTACT_NOT_OWN, No.CONSENT_REQUIRED, No.CUSTOMER_NOT_FOUND),
    No.INVALID_EMAIL,
    *(No.UNKNOWN_ACCOUNT, No.IDENTITY_TAKEN, No.INVALID_NAME, No.WRONG_CODE, No.CODE_EXPIRED),
    *(No.TOO_MANY_ATTEMPTS, No.TOO_MANY_CODES, No.TOO_MANY_REQUESTS, No.TRANSACTION_NOT_FOUND),
    *(No.PROMO_NOT_GOOD, No.PROMO_REVOKED, No.PROMO_NOT_YET, No.PROMO_EXPIRED, No.PROMO_USED),
    *(No.PROMO_USED_UP, No.PROMO_USED_BY_CUSTOMER),
    *(No.REFERRAL_OFF, No.REFERRAL_UNKNOWN, No.REFERRAL_SELF, No.REFERRAL_RING),
    *(No.REFERRAL_ALREADY, No.REFERRAL_TOO_LATE),
    *(No.COURSE_NOT_FOUND, No.COURSE_CHANGED, No.INVALID_COURSE, No.TOO_MANY_COURSES),
    *(No.SURVEY_NOT_FOUND, No.SURVEY_CLOSED, No.INVALID_ANSWER),
}


def shown(language: str) -> str:
    with speaking(language):
        return join.consent_text("X") + join.marketing_text()


def test_the_wording_of_consents_is_that_of_its_version() -> None:
    texts = "\n".join(shown(language) for language in LANGUAGES)
    assert hashlib.sha256(texts.encode()).hexdigest()[:16] == WORDINGS[join.CONSENT_WORDING]


def test_every_refusal_that_a_customer_can_meet_has_a_sentence() -> None:
    assert SENTENCES.keys() == MEETABLE


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", list(No))
def test_every_refusal_makes_a_sentence(language: str, code: No) -> None:
    words = Words(language, "Europe/Moscow", "RUB")
    with speaking(language):
        for data in ({}, {"wait_s": 61, "attempts_left": 2}):
            text = refusal_text(Refusal(code, data), words)
            assert text
            assert "{" not in text
            assert (language == "ru") == any("а" <= char <= "я" for char in text.lower())
