"""Every "no" on its way out over HTTP: status, words, and the body of RFC 9457 (problem+json).

`STATUS_OF` is the one place that turns a refusal into a status. What is wrong with a request before
any rule has seen it (`Bad`) is named here too: the programme knows no HTTP.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

from aiohttp import web

from loyalty.refusals import Datum, No, Refusal
from messaging.i18n import gettext

CONTENT_TYPE = "application/problem+json"
TYPE_BASE = "/api/v1/docs#"


class Bad(StrEnum):
    """What can be wrong with a request itself."""

    MALFORMED_JSON = "malformed_json"
    DUPLICATE_MEMBER = "duplicate_member"
    TOO_DEEP = "too_deep"
    NUMBER_OUT_OF_RANGE = "number_out_of_range"
    INVALID_TEXT = "invalid_text"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    BODY_TOO_LARGE = "body_too_large"
    BODY_TOO_SLOW = "body_too_slow"
    INVALID_REQUEST = "invalid_request"
    IDEMPOTENCY_KEY_REQUIRED = "idempotency_key_required"
    CREDENTIALS_REQUIRED = "credentials_required"
    CSRF_REFUSED = "csrf_refused"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    UNREADABLE_IMAGE = "unreadable_image"
    INTERNAL_ERROR = "internal_error"


_S = HTTPStatus
STATUS_OF: Mapping[No | Bad, HTTPStatus] = {
    # the request itself
    Bad.MALFORMED_JSON: _S.BAD_REQUEST,
    Bad.DUPLICATE_MEMBER: _S.BAD_REQUEST,
    Bad.TOO_DEEP: _S.BAD_REQUEST,
    Bad.NUMBER_OUT_OF_RANGE: _S.BAD_REQUEST,
    Bad.INVALID_TEXT: _S.BAD_REQUEST,
    Bad.UNSUPPORTED_MEDIA_TYPE: _S.UNSUPPORTED_MEDIA_TYPE,
    Bad.BODY_TOO_LARGE: _S.REQUEST_ENTITY_TOO_LARGE,
    Bad.BODY_TOO_SLOW: _S.REQUEST_TIMEOUT,
    Bad.INVALID_REQUEST: _S.UNPROCESSABLE_ENTITY,
    Bad.IDEMPOTENCY_KEY_REQUIRED: _S.BAD_REQUEST,
    Bad.CREDENTIALS_REQUIRED: _S.UNAUTHORIZED,
    Bad.CSRF_REFUSED: _S.FORBIDDEN,
    Bad.NOT_FOUND: _S.NOT_FOUND,
    Bad.METHOD_NOT_ALLOWED: _S.METHOD_NOT_ALLOWED,
    Bad.UNREADABLE_IMAGE: _S.UNPROCESSABLE_ENTITY,
    Bad.INTERNAL_ERROR: _S.INTERNAL_SERVER_ERROR,
    # ledger
    No.INSUFFICIENT_POINTS: _S.CONFLICT,
    No.UNKNOWN_ACCOUNT: _S.NOT_FOUND,
    No.KEY_REUSED: _S.CONFLICT,
    No.DUPLICATE_BUSINESS_KEY: _S.CONFLICT,
    No.HOLD_NOT_FOUND: _S.NOT_FOUND,
    No.HOLD_EXPIRED: _S.CONFLICT,
    No.HOLD_CLOSED: _S.CONFLICT,
    No.EXCEEDS_HOLD: _S.CONFLICT,
    No.TRANSACTION_NOT_FOUND: _S.NOT_FOUND,
    No.NOT_REVERSIBLE: _S.CONFLICT,
    No.ALREADY_REVERSED: _S.CONFLICT,
    No.EXCEEDS_ORIGINAL: _S.CONFLICT,
    No.NOT_YET_EXPIRED: _S.CONFLICT,
    No.NOTHING_TO_TAKE_BACK: _S.CONFLICT,
    No.INVALID_POINTS: _S.UNPROCESSABLE_ENTITY,
    No.INVALID_PERIOD: _S.UNPROCESSABLE_ENTITY,
    # customers
    No.INVALID_PHONE: _S.UNPROCESSABLE_ENTITY,
    No.INVALID_EMAIL: _S.UNPROCESSABLE_ENTITY,
    No.INVALID_NAME: _S.UNPROCESSABLE_ENTITY,
    No.IDENTITY_TAKEN: _S.CONFLICT,
    No.CONTACT_NOT_OWN: _S.FORBIDDEN,
    No.CONSENT_REQUIRED: _S.FORBIDDEN,
    No.CUSTOMER_NOT_FOUND: _S.NOT_FOUND,
    No.WRONG_CODE: _S.UNPROCESSABLE_ENTITY,
    No.CODE_EXPIRED: _S.UNPROCESSABLE_ENTITY,
    No.TOO_MANY_ATTEMPTS: _S.TOO_MANY_REQUESTS,
    No.TOO_MANY_CODES: _S.TOO_MANY_REQUESTS,
    # card at the till
    No.CARD_UNKNOWN: _S.NOT_FOUND,
    No.CARD_FORGED: _S.UNPROCESSABLE_ENTITY,
    No.CARD_CODE_EXPIRED: _S.UNPROCESSABLE_ENTITY,
    No.CARD_CODE_USED: _S.CONFLICT,
    No.CARD_CANNOT_SPEND: _S.FORBIDDEN,
    # checkout
    No.INVALID_RECEIPT: _S.UNPROCESSABLE_ENTITY,
    No.EXCEEDS_SPENDING_LIMIT: _S.CONFLICT,
    No.QUOTE_NOT_FOUND: _S.NOT_FOUND,
    No.QUOTE_EXPIRED: _S.CONFLICT,
    No.RECEIPT_EXISTS: _S.CONFLICT,
    No.RECEIPT_NOT_FOUND: _S.NOT_FOUND,
    No.RECEIPT_CANCELLED: _S.CONFLICT,
    No.EVENT_TIME_REFUSED: _S.UNPROCESSABLE_ENTITY,
    # promo codes and referral
    No.INVALID_PROMO: _S.UNPROCESSABLE_ENTITY,
    No.INVALID_JOURNEY: _S.UNPROCESSABLE_ENTITY,
    No.JOURNEY_NOT_FOUND: _S.NOT_FOUND,
    No.PROMO_NOT_GOOD: _S.NOT_FOUND,
    No.PROMO_UNKNOWN: _S.NOT_FOUND,
    No.PROMO_REVOKED: _S.CONFLICT,
    No.PROMO_NOT_YET: _S.CONFLICT,
    No.PROMO_EXPIRED: _S.CONFLICT,
    No.PROMO_USED: _S.CONFLICT,
    No.PROMO_USED_UP: _S.CONFLICT,
    No.PROMO_USED_BY_CUSTOMER: _S.CONFLICT,
    No.PROMO_NOT_HOLDER: _S.FORBIDDEN,
    No.PROMO_NOT_IN_SEGMENT: _S.FORBIDDEN,
    No.PROMO_NOT_FIRST_PURCHASE: _S.CONFLICT,
    No.PROMO_OTHER_SHOP: _S.CONFLICT,
    No.PROMO_OTHER_GOODS: _S.CONFLICT,
    No.PROMO_BELOW_MINIMUM: _S.CONFLICT,
    No.PROMO_NOT_STACKABLE: _S.CONFLICT,
    No.PROMO_CODE_TAKEN: _S.CONFLICT,
    No.PROMO_CAMPAIGN_NOT_FOUND: _S.NOT_FOUND,
    No.REFERRAL_OFF: _S.CONFLICT,
    No.REFERRAL_UNKNOWN: _S.NOT_FOUND,
    No.REFERRAL_SELF: _S.CONFLICT,
    No.REFERRAL_RING: _S.CONFLICT,
    No.REFERRAL_ALREADY: _S.CONFLICT,
    No.REFERRAL_TOO_LATE: _S.CONFLICT,
    # medicines
    No.COURSE_NOT_FOUND: _S.NOT_FOUND,
    No.COURSE_CHANGED: _S.CONFLICT,
    No.INVALID_COURSE: _S.UNPROCESSABLE_ENTITY,
    No.TOO_MANY_COURSES: _S.CONFLICT,
    # returns
    No.RECEIPT_AMBIGUOUS: _S.CONFLICT,
    No.RECEIPT_HAS_RETURNS: _S.CONFLICT,
    No.ALREADY_RETURNED: _S.CONFLICT,
    No.UNKNOWN_LINE: _S.UNPROCESSABLE_ENTITY,
    No.EXCEEDS_QUANTITY: _S.CONFLICT,
    No.RETURN_TOO_OLD: _S.CONFLICT,
    No.RETURN_EXISTS: _S.CONFLICT,
    # rules of the programme
    No.RULES_OUTDATED: _S.CONFLICT,
    No.RULES_UNCHANGED: _S.CONFLICT,
    No.CURRENCY_IN_USE: _S.CONFLICT,
    # surveys
    No.SURVEY_NOT_FOUND: _S.NOT_FOUND,
    No.SURVEY_CLOSED: _S.CONFLICT,
    No.INVALID_ANSWER: _S.UNPROCESSABLE_ENTITY,
    # sites
    No.INVALID_SITE: _S.UNPROCESSABLE_ENTITY,
    No.SITE_UNKNOWN: _S.NOT_FOUND,
    No.SITE_TOKEN_INVALID: _S.FORBIDDEN,
    No.VISITOR_REQUIRED: _S.UNPROCESSABLE_ENTITY,
    No.SECRET_KEY_REQUIRED: _S.FORBIDDEN,
    No.ORIGIN_NOT_ALLOWED: _S.FORBIDDEN,
    # tasks for operators
    No.TASK_NOT_FOUND: _S.NOT_FOUND,
    No.TASK_TAKEN: _S.CONFLICT,
    No.TASK_DONE: _S.CONFLICT,
    No.INVALID_TASK: _S.UNPROCESSABLE_ENTITY,
    # staff and their machines
    No.WRONG_PASSWORD: _S.UNAUTHORIZED,
    No.STAFF_DISABLED: _S.FORBIDDEN,
    No.ROLE_NOT_ALLOWED: _S.FORBIDDEN,
    No.SESSION_ENDED: _S.UNAUTHORIZED,
    No.API_KEY_UNKNOWN: _S.UNAUTHORIZED,
    No.TILL_NOT_FOUND: _S.NOT_FOUND,
    No.TILL_REQUIRED: _S.CONFLICT,
    No.LOGIN_TAKEN: _S.CONFLICT,
    No.INVALID_LOGIN: _S.UNPROCESSABLE_ENTITY,
    No.WEAK_PASSWORD: _S.UNPROCESSABLE_ENTITY,
    No.TOO_MANY_REQUESTS: _S.TOO_MANY_REQUESTS,
}

SENTENCES: Mapping[No | Bad, str] = {
    Bad.MALFORMED_JSON: "The body is not valid JSON in UTF-8.",
    Bad.DUPLICATE_MEMBER: "The body names the same member twice.",
    Bad.TOO_DEEP: "The body is nested too deeply.",
    Bad.NUMBER_OUT_OF_RANGE: "The body holds a number that is not finite or does not fit 64 bits.",
    Bad.INVALID_TEXT: "The body holds text that is not valid Unicode.",
    Bad.UNSUPPORTED_MEDIA_TYPE: "The body has the wrong content type.",
    Bad.BODY_TOO_LARGE: "The body is too large.",
    Bad.BODY_TOO_SLOW: "The body did not arrive in time.",
    Bad.INVALID_REQUEST: "Some fields are wrong.",
    Bad.IDEMPOTENCY_KEY_REQUIRED: "The Idempotency-Key header is missing or malformed.",
    Bad.CREDENTIALS_REQUIRED: "Sign in first.",
    Bad.CSRF_REFUSED: "The form is out of date. Reload the page.",
    Bad.NOT_FOUND: "There is nothing here.",
    Bad.METHOD_NOT_ALLOWED: "This address does not answer to that method.",
    Bad.UNREADABLE_IMAGE: "The picture cannot be read.",
    Bad.INTERNAL_ERROR: "Something broke on our side. Repeat with the same key.",
    No.INSUFFICIENT_POINTS: "The customer does not have enough points.",
    No.UNKNOWN_ACCOUNT: "There is no such points account.",
    No.KEY_REUSED: "This key was used for another command.",
    No.DUPLICATE_BUSINESS_KEY: "This was already done under another key.",
    No.HOLD_NOT_FOUND: "These points are not set aside.",
    No.HOLD_EXPIRED: "The points were set aside for too long. Start again.",
    No.HOLD_CLOSED: "The points set aside have been used or returned.",
    No.EXCEEDS_HOLD: "More points than were set aside.",
    No.TRANSACTION_NOT_FOUND: "There is no such transaction.",
    No.NOT_REVERSIBLE: "This cannot be undone.",
    No.ALREADY_REVERSED: "This was already undone.",
    No.EXCEEDS_ORIGINAL: "More than there was in the first place.",
    No.NOT_YET_EXPIRED: "These points have not expired yet.",
    No.NOTHING_TO_TAKE_BACK: "There are no points to take back.",
    No.INVALID_POINTS: "The number of points is wrong.",
    No.INVALID_PERIOD: "The dates are wrong.",
    No.INVALID_PHONE: "This is not a phone number.",
    No.INVALID_EMAIL: "This is not an e-mail address.",
    No.INVALID_NAME: "This is not a name.",
    No.IDENTITY_TAKEN: "Another customer has this already.",
    No.CONTACT_NOT_OWN: "The contact is someone else's.",
    No.CONSENT_REQUIRED: "The customer has not agreed to it.",
    No.CUSTOMER_NOT_FOUND: "There is no such customer.",
    No.WRONG_CODE: "The code is wrong.",
    No.CODE_EXPIRED: "The code is too old.",
    No.TOO_MANY_ATTEMPTS: "Too many attempts. Wait a little.",
    No.TOO_MANY_CODES: "Too many codes were sent. Wait a little.",
    No.CARD_UNKNOWN: "No customer has this card, code or phone.",
    No.CARD_FORGED: "This code is damaged or not ours. Ask to show it again.",
    No.CARD_CODE_EXPIRED: "The code is too old. Ask the customer to refresh it.",
    No.CARD_CODE_USED: "The code has been used. Ask the customer to refresh it.",
    No.CARD_CANNOT_SPEND: "To spend points the customer shows the code from the chat.",
    No.INVALID_RECEIPT: "The receipt does not add up.",
    No.EXCEEDS_SPENDING_LIMIT: "More points than this receipt may be paid with.",
    No.QUOTE_NOT_FOUND: "There is no such quote.",
    No.QUOTE_EXPIRED: "The quote is too old. Start again.",
    No.RECEIPT_EXISTS: "This till has already had a receipt with this number.",
    No.RECEIPT_NOT_FOUND: "This till has no receipt with this number.",
    No.RECEIPT_CANCELLED: "The receipt is cancelled.",
    No.EVENT_TIME_REFUSED: "The time of the sale is in the future or too long ago.",
    No.INVALID_PROMO: "The promo campaign does not add up.",
    No.INVALID_JOURNEY: "The journey does not add up.",
    No.JOURNEY_NOT_FOUND: "There is no such journey.",
    No.PROMO_NOT_GOOD: "This promo code is not good.",
    No.PROMO_UNKNOWN: "There is no such promo code.",
    No.PROMO_REVOKED: "The promo code has been withdrawn.",
    No.PROMO_NOT_YET: "The promo code is not valid yet.",
    No.PROMO_EXPIRED: "The promo code has expired.",
    No.PROMO_USED: "The promo code has been used.",
    No.PROMO_USED_UP: "The promo code has been used as often as it may be.",
    No.PROMO_USED_BY_CUSTOMER: "This customer has used the promo code already.",
    No.PROMO_NOT_HOLDER: "The promo code belongs to another customer.",
    No.PROMO_NOT_IN_SEGMENT: "The promo code is not meant for this customer.",
    No.PROMO_NOT_FIRST_PURCHASE: "The promo code is for the first purchase only.",
    No.PROMO_OTHER_SHOP: "The promo code is not valid in this shop.",
    No.PROMO_OTHER_GOODS: "The receipt has no goods that the promo code is for.",
    No.PROMO_BELOW_MINIMUM: "The receipt is too small for the promo code.",
    No.PROMO_NOT_STACKABLE: "The promo code cannot be used together with the other one.",
    No.PROMO_CODE_TAKEN: "This promo code is taken.",
    No.PROMO_CAMPAIGN_NOT_FOUND: "There is no such promo campaign.",
    No.REFERRAL_OFF: "There are no gifts for friends at present.",
    No.REFERRAL_UNKNOWN: "Nobody has this friend's code.",
    No.REFERRAL_SELF: "One's own code brings no gift.",
    No.REFERRAL_RING: "Friends cannot bring each other in a circle.",
    No.REFERRAL_ALREADY: "Somebody has brought this customer already.",
    No.REFERRAL_TOO_LATE: "A friend's code is for new customers only.",
    No.COURSE_NOT_FOUND: "There is no such medicine among the customer's.",
    No.COURSE_CHANGED: "This has been answered already.",
    No.INVALID_COURSE: "This cannot be so for a medicine.",
    No.TOO_MANY_COURSES: "There are too many medicines on the list.",
    No.RECEIPT_AMBIGUOUS: "Several tills of this shop have this number. Name the till.",
    No.RECEIPT_HAS_RETURNS: "Goods of this receipt have come back already. Return the rest.",
    No.ALREADY_RETURNED: "All of this receipt has been returned.",
    No.UNKNOWN_LINE: "The receipt has no such line.",
    No.EXCEEDS_QUANTITY: "More than is left of this line.",
    No.RETURN_TOO_OLD: "The purchase is too long ago to be returned.",
    No.RETURN_EXISTS: "This till has already had a return with this number.",
    No.RULES_OUTDATED: "Somebody has saved other rules meanwhile. Look at them first.",
    No.RULES_UNCHANGED: "These are the rules already.",
    No.CURRENCY_IN_USE: "There are receipts in the old currency: it cannot be changed.",
    No.SURVEY_NOT_FOUND: "There is no such survey.",
    No.SURVEY_CLOSED: "The survey takes no more answers.",
    No.INVALID_ANSWER: "This is no answer to the question.",
    No.INVALID_SITE: "A site needs a name of its own and origins such as https://shop.example.",
    No.SITE_UNKNOWN: "There is no such site.",
    No.SITE_TOKEN_INVALID: "The token is forged, expired, or of another visitor.",
    No.VISITOR_REQUIRED: "Say whose events these are: a visitor, or a customer.",
    No.SECRET_KEY_REQUIRED: "Only the site's server, with its secret key, may name a customer.",
    No.ORIGIN_NOT_ALLOWED: "This key does not work on this page.",
    No.TASK_NOT_FOUND: "There is no such task.",
    No.TASK_TAKEN: "A colleague has taken this task.",
    No.TASK_DONE: "This task is done already.",
    No.INVALID_TASK: "A task does not end like this.",
    No.WRONG_PASSWORD: "The login or the password is wrong.",
    No.STAFF_DISABLED: "This account is closed.",
    No.ROLE_NOT_ALLOWED: "Your account may not do this.",
    No.SESSION_ENDED: "The session has ended. Sign in again.",
    No.API_KEY_UNKNOWN: "The API key is unknown or revoked.",
    No.TILL_NOT_FOUND: "There is no such till in your shop.",
    No.TILL_REQUIRED: "Choose your till first.",
    No.LOGIN_TAKEN: "This login is taken.",
    No.INVALID_LOGIN: "A login is 2 to 64 small Latin letters, digits, dots, dashes.",
    No.WEAK_PASSWORD: "The password is too short.",
    No.TOO_MANY_REQUESTS: "Too many requests. Wait a little.",
}


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field: `pointer` is its JSON pointer in the body (RFC 6901), "" the whole of it."""

    pointer: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A no with what the client needs to act on it."""

    code: No | Bad
    detail: str = ""
    errors: Sequence[FieldError] = ()
    data: Mapping[str, Datum] | None = None
    allow: str = ""


def of_refusal(refusal: Refusal) -> Problem:
    """A refusal that blames a field points at it: `lines[2].name` is /lines/2/name."""
    blamed = refusal.data.get("field")
    if blamed is None:
        return Problem(refusal.code, data=refusal.data)
    reason = str(refusal.data.get("reason", refusal.code))
    pointer = "/" + str(blamed).replace("[", "/").replace("].", "/").replace(".", "/")
    errors = [FieldError(pointer, reason, SENTENCES[refusal.code])]
    return Problem(refusal.code, errors=errors, data=refusal.data)


def sentence(code: No | Bad, language: str) -> str:
    return gettext(language, SENTENCES[code])


def response(problem: Problem, *, language: str = "en", instance: str = "") -> web.Response:
    """The problem as an answer; a wait is told in Retry-After as well."""
    status = STATUS_OF[problem.code]
    body: dict[str, object] = {
        "type": TYPE_BASE + problem.code,
        "title": sentence(problem.code, language),
        "status": int(status),
        "code": str(problem.code),
    }
    if problem.detail:
        body["detail"] = problem.detail
    if instance:
        body["instance"] = instance
    if problem.data:
        body["data"] = dict(problem.data)
    if problem.errors:
        body["errors"] = [
            {"pointer": e.pointer, "code": e.code, "detail": e.detail} for e in problem.errors
        ]
    return web.Response(
        status=status,
        body=json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"),
        headers=_headers(problem),
    )


def _headers(problem: Problem) -> dict[str, str]:
    headers = {"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"}
    wait_s = (problem.data or {}).get("wait_s")
    if wait_s is not None:
        headers["Retry-After"] = str(wait_s)
    if STATUS_OF[problem.code] == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="kapsula"'
    if problem.allow:
        headers["Allow"] = problem.allow
    return headers
