"""Every "no" by name. A refusal is returned, not raised: exceptions mean bugs or broken machinery.

The code is for programs and for the tests; `data` holds the numbers that make the sentence. The
sentence itself is made at the edge, in the reader's language.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Datum = str | int


class No(StrEnum):
    """The names. Grouped by who says them."""

    # ledger
    INSUFFICIENT_POINTS = "insufficient_points"
    UNKNOWN_ACCOUNT = "unknown_account"
    KEY_REUSED = "key_reused"
    DUPLICATE_BUSINESS_KEY = "duplicate_business_key"
    HOLD_NOT_FOUND = "hold_not_found"
    HOLD_EXPIRED = "hold_expired"
    HOLD_CLOSED = "hold_closed"
    EXCEEDS_HOLD = "exceeds_hold"
    TRANSACTION_NOT_FOUND = "transaction_not_found"
    NOT_REVERSIBLE = "not_reversible"
    ALREADY_REVERSED = "already_reversed"
    EXCEEDS_ORIGINAL = "exceeds_original"
    NOT_YET_EXPIRED = "not_yet_expired"
    NOTHING_TO_TAKE_BACK = "nothing_to_take_back"
    INVALID_POINTS = "invalid_points"
    INVALID_PERIOD = "invalid_period"
    # customers
    INVALID_PHONE = "invalid_phone"
    INVALID_EMAIL = "invalid_email"
    INVALID_NAME = "invalid_name"
    IDENTITY_TAKEN = "identity_taken"
    CONTACT_NOT_OWN = "contact_not_own"
    CONSENT_REQUIRED = "consent_required"
    CUSTOMER_NOT_FOUND = "customer_not_found"
    WRONG_CODE = "wrong_code"
    CODE_EXPIRED = "code_expired"
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    TOO_MANY_CODES = "too_many_codes"
    # card at the till
    CARD_UNKNOWN = "card_unknown"
    CARD_FORGED = "card_forged"
    CARD_CODE_EXPIRED = "card_code_expired"
    CARD_CODE_USED = "card_code_used"
    CARD_CANNOT_SPEND = "card_cannot_spend"
    # checkout
    INVALID_RECEIPT = "invalid_receipt"
    EXCEEDS_SPENDING_LIMIT = "exceeds_spending_limit"
    QUOTE_NOT_FOUND = "quote_not_found"
    QUOTE_EXPIRED = "quote_expired"
    RECEIPT_EXISTS = "receipt_exists"
    RECEIPT_NOT_FOUND = "receipt_not_found"
    RECEIPT_CANCELLED = "receipt_cancelled"
    EVENT_TIME_REFUSED = "event_time_refused"
    # promo codes
    INVALID_PROMO = "invalid_promo"
    PROMO_NOT_GOOD = "promo_not_good"
    PROMO_UNKNOWN = "promo_unknown"
    PROMO_REVOKED = "promo_revoked"
    PROMO_NOT_YET = "promo_not_yet"
    PROMO_EXPIRED = "promo_expired"
    PROMO_USED = "promo_used"
    PROMO_USED_UP = "promo_used_up"
    PROMO_USED_BY_CUSTOMER = "promo_used_by_customer"
    PROMO_NOT_HOLDER = "promo_not_holder"
    PROMO_NOT_IN_SEGMENT = "promo_not_in_segment"
    PROMO_NOT_FIRST_PURCHASE = "promo_not_first_purchase"
    PROMO_OTHER_SHOP = "promo_other_shop"
    PROMO_OTHER_GOODS = "promo_other_goods"
    PROMO_BELOW_MINIMUM = "promo_below_minimum"
    PROMO_NOT_STACKABLE = "promo_not_stackable"
    PROMO_CODE_TAKEN = "promo_code_taken"
    PROMO_CAMPAIGN_NOT_FOUND = "promo_campaign_not_found"
    # referral
    REFERRAL_OFF = "referral_off"
    REFERRAL_UNKNOWN = "referral_unknown"
    REFERRAL_SELF = "referral_self"
    REFERRAL_RING = "referral_ring"
    REFERRAL_ALREADY = "referral_already"
    REFERRAL_TOO_LATE = "referral_too_late"
    # journeys
    INVALID_JOURNEY = "invalid_journey"
    JOURNEY_NOT_FOUND = "journey_not_found"
    # medicines
    COURSE_NOT_FOUND = "course_not_found"
    COURSE_CHANGED = "course_changed"
    INVALID_COURSE = "invalid_course"
    TOO_MANY_COURSES = "too_many_courses"
    # returns
    RECEIPT_AMBIGUOUS = "receipt_ambiguous"
    RECEIPT_HAS_RETURNS = "receipt_has_returns"
    ALREADY_RETURNED = "already_returned"
    UNKNOWN_LINE = "unknown_line"
    EXCEEDS_QUANTITY = "exceeds_quantity"
    RETURN_TOO_OLD = "return_too_old"
    RETURN_EXISTS = "return_exists"
    # rules of the programme
    RULES_OUTDATED = "rules_outdated"
    RULES_UNCHANGED = "rules_unchanged"
    CURRENCY_IN_USE = "currency_in_use"
    # surveys
    SURVEY_NOT_FOUND = "survey_not_found"
    SURVEY_CLOSED = "survey_closed"
    INVALID_ANSWER = "invalid_answer"
    # sites
    INVALID_SITE = "invalid_site"
    SITE_UNKNOWN = "site_unknown"
    SITE_TOKEN_INVALID = "site_token_invalid"  # noqa: S105 - a name, not a token
    VISITOR_REQUIRED = "visitor_required"
    SECRET_KEY_REQUIRED = "secret_key_required"  # noqa: S105 - a name, not a key
    ORIGIN_NOT_ALLOWED = "origin_not_allowed"
    # tasks for operators
    TASK_NOT_FOUND = "task_not_found"
    TASK_TAKEN = "task_taken"
    TASK_DONE = "task_done"
    INVALID_TASK = "invalid_task"
    # staff and their machines
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - a name, not a password
    STAFF_DISABLED = "staff_disabled"
    ROLE_NOT_ALLOWED = "role_not_allowed"
    SESSION_ENDED = "session_ended"
    API_KEY_UNKNOWN = "api_key_unknown"
    TILL_NOT_FOUND = "till_not_found"
    TILL_REQUIRED = "till_required"
    LOGIN_TAKEN = "login_taken"
    INVALID_LOGIN = "invalid_login"
    WEAK_PASSWORD = "weak_password"  # noqa: S105 - a name, not a password
    TOO_MANY_REQUESTS = "too_many_requests"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A named no. Falsy, so that `if not answer` reads as it should."""

    code: No
    data: Mapping[str, Datum] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return False


def refuse(code: No, **data: Datum) -> Refusal:
    return Refusal(code, data)


def first_of(*refusals: Refusal | None) -> Refusal | None:
    """The first that is one. Not `a or b`: a refusal is falsy."""
    return next((refusal for refusal in refusals if refusal is not None), None)
