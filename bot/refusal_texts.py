"""Every "no" that a customer may meet in the chat, as a sentence that says what to do next."""

from collections.abc import Callable

from bot.words import Words, _
from loyalty.refusals import No, Refusal

Sentence = Callable[[Refusal, Words], str]


def refusal_text(refusal: Refusal, words: Words) -> str:
    """The sentence for a refusal, in the language of the running update."""
    sentence = SENTENCES.get(refusal.code)
    if sentence is None:
        return _("That did not work. Please try again a little later.")
    return sentence(refusal, words)


def _minutes(refusal: Refusal, words: Words) -> str:
    """`wait_s` as whole minutes, rounded up: telling less would make her come too early."""
    minutes = max(1, -(-int(refusal.data.get("wait_s", 60)) // 60))
    return words.several("{count} minute", "{count} minutes", minutes)


def _wrong_code(refusal: Refusal, words: Words) -> str:
    left = int(refusal.data.get("attempts_left", 0))
    tries = words.several("{count} try left", "{count} tries left", left)
    return _("This is not the code that we have sent. {tries}.").format(tries=tries)


def _too_many_attempts(refusal: Refusal, words: Words) -> str:
    if "wait_s" in refusal.data:
        return _("Too many wrong codes. Please try again in {minutes}.").format(
            minutes=_minutes(refusal, words)
        )
    return _("Too many wrong codes, so this one is no longer good. Ask for a new one.")


def _too_many_codes(refusal: Refusal, words: Words) -> str:
    return _(
        "We have sent enough codes for now. The next one can be asked for in {minutes}."
    ).format(minutes=_minutes(refusal, words))


def _invalid_course(refusal: Refusal, words: Words) -> str:
    if refusal.data.get("field") == "name":
        return _("Please write the name in a few words.")
    return _("This number cannot be right. Please write it once more.")


SENTENCES: dict[No, Sentence] = {
    No.INVALID_PHONE: lambda r, w: _(
        "This does not look like a phone number. Please write it like this: +7 900 123-45-67."
    ),
    No.INVALID_EMAIL: lambda r, w: _(
        "This does not look like an e-mail address. Please write it like this: anna@example.com."
    ),
    No.CONTACT_NOT_OWN: lambda r, w: _(
        "This is somebody else's number. Please share your own with the button below."
    ),
    No.CONSENT_REQUIRED: lambda r, w: _(
        "Without your consent we may not keep your number, so there is no card either."
    ),
    No.CUSTOMER_NOT_FOUND: lambda r, w: _("We cannot find your card. Send /start to begin anew."),
    No.UNKNOWN_ACCOUNT: lambda r, w: _("We cannot find your card. Send /start to begin anew."),
    No.IDENTITY_TAKEN: lambda r, w: _(
        "This chat already belongs to another card. Leave it first with /leave."
    ),
    No.INVALID_NAME: lambda r, w: _("This does not look like a name. Please write it in letters."),
    No.WRONG_CODE: _wrong_code,
    No.CODE_EXPIRED: lambda r, w: _("This code has expired. Ask for a new one."),
    No.TOO_MANY_ATTEMPTS: _too_many_attempts,
    No.TOO_MANY_CODES: _too_many_codes,
    No.TOO_MANY_REQUESTS: lambda r, w: _("Not so fast, please. Try again in {minutes}.").format(
        minutes=_minutes(r, w)
    ),
    No.PROMO_NOT_GOOD: lambda r, w: _(
        "This promo code is not good. Please check how it is written."
    ),
    No.PROMO_REVOKED: lambda r, w: _("This promo code has been withdrawn."),
    No.PROMO_NOT_YET: lambda r, w: _("This promo code is not valid yet."),
    No.PROMO_EXPIRED: lambda r, w: _("This promo code has expired."),
    No.PROMO_USED: lambda r, w: _("This promo code has been used already."),
    No.PROMO_USED_UP: lambda r, w: _("This promo code has run out: others were quicker."),
    No.PROMO_USED_BY_CUSTOMER: lambda r, w: _("You have used this promo code already."),
    No.REFERRAL_OFF: lambda r, w: _("There are no gifts for invitations at present."),
    No.REFERRAL_UNKNOWN: lambda r, w: _("Nobody has this code. Please check how it is written."),
    No.REFERRAL_SELF: lambda r, w: _("This is your own code: send it to your friends."),
    No.REFERRAL_RING: lambda r, w: _("This friend has come by your own invitation."),
    No.REFERRAL_ALREADY: lambda r, w: _("You have named who invited you already."),
    No.REFERRAL_TOO_LATE: lambda r, w: _(
        "A friend's code is for new customers, before their first purchase."
    ),
    No.SURVEY_NOT_FOUND: lambda r, w: _("This button is no longer good."),
    No.SURVEY_CLOSED: lambda r, w: _("The survey is over. Thank you for your time!"),
    No.INVALID_ANSWER: lambda r, w: _(
        "This is too long for an answer. Please write up to 1000 characters."
    ),
    No.COURSE_NOT_FOUND: lambda r, w: _("This medicine is not on your list any more."),
    No.COURSE_CHANGED: lambda r, w: _("You have answered this already."),
    No.INVALID_COURSE: _invalid_course,
    No.TOO_MANY_COURSES: lambda r, w: _("There are too many medicines on your list."),
    No.TRANSACTION_NOT_FOUND: lambda r, w: _("There is no such operation on your card."),
}
