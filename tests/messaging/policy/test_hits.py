"""Who asks for a link or picture: each sign of a machine, and people with odd browsers."""

import pytest

from messaging.policy.hits import Earlier, Judged, Kind, Request, Sign, Who, judge, standing

S = 1_000_000
ACCEPTED = 1_000 * S
LATER = ACCEPTED + 60 * S
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
)
PERSON = Judged(Who.PERSON)


def machine(sign: Sign) -> Judged:
    return Judged(Who.MACHINE, sign)


AGENTS = [
    # people
    (CHROME, PERSON),
    (IPHONE, PERSON),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", PERSON),
    (f"{CHROME} YaBrowser/24.10.0.0", PERSON),
    (f"{CHROME} Avast/131.0.0", PERSON),
    (
        "Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/120.0 Mobile Safari/537.36",
        PERSON,
    ),
    ("Mozilla/5.0 (Linux; Android 13; SM-A515F) Chrome/130.0 [FBAN/FB4A;FBAV/440]", PERSON),
    # previews
    ("TelegramBot (like TwitterBot)", machine(Sign.PREVIEW)),
    ("WhatsApp/2.23.20.0 A", machine(Sign.PREVIEW)),
    ("Viber/13.3.0.5 CFNetwork/1107.1", machine(Sign.PREVIEW)),
    (
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        machine(Sign.PREVIEW),
    ),
    ("Twitterbot/1.0", machine(Sign.PREVIEW)),
    ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", machine(Sign.PREVIEW)),
    ("Mozilla/5.0 (compatible; vkShare; +http://vk.com/dev/Share)", machine(Sign.PREVIEW)),
    ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://google.com/bot.html)", machine(Sign.PREVIEW)),
    ("Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)", machine(Sign.PREVIEW)),
    ("Mozilla/5.0 Windows SkypeUriPreview Preview/0.5", machine(Sign.PREVIEW)),
    # guards of mailboxes
    ("BarracudaCentral/1.0 (link protection)", machine(Sign.SCANNER)),
    ("Mozilla/5.0 (compatible; Proofpoint URL Defense)", machine(Sign.SCANNER)),
    ("Mozilla/5.0 (Mimecast; URL Protect)", machine(Sign.SCANNER)),
    ("Mozilla/5.0 (compatible; SafeLinks/1.0)", machine(Sign.SCANNER)),
    ("Mozilla/5.0 (KasperskyLab; LinkChecker)", machine(Sign.SCANNER)),
    # programs
    ("curl/8.5.0", machine(Sign.SCRIPT)),
    ("Wget/1.21", machine(Sign.SCRIPT)),
    ("python-requests/2.32", machine(Sign.SCRIPT)),
    ("Python/3.11 aiohttp/3.14", machine(Sign.SCRIPT)),
    ("Go-http-client/2.0", machine(Sign.SCRIPT)),
    ("okhttp/4.12.0", machine(Sign.SCRIPT)),
    (CHROME.replace("Chrome/", "HeadlessChrome/"), machine(Sign.SCRIPT)),
    ("Mozilla/5.0", machine(Sign.SCRIPT)),
    ("", machine(Sign.NO_USER_AGENT)),
    ("   ", machine(Sign.NO_USER_AGENT)),
    (
        "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
        machine(Sign.SCANNER),
    ),
]


@pytest.mark.parametrize(("agent", "judged"), AGENTS, ids=[a[:40] or "empty" for a, _ in AGENTS])
def test_who_clicks_by_the_name_of_the_browser(agent: str, judged: Judged) -> None:
    request = Request(kind=Kind.CLICK, at=LATER, user_agent=agent)
    assert judge(request, channel="email", accepted_at=ACCEPTED) == judged


@pytest.mark.parametrize(
    ("agent", "judged"),
    [
        (CHROME, PERSON),
        (
            "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 "
            "(via ggpht.com GoogleImageProxy)",
            Judged(Who.PERSON, Sign.IMAGE_PROXY),
        ),
        (
            "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
            Judged(Who.PERSON, Sign.IMAGE_PROXY),
        ),
        ("Mozilla/5.0", machine(Sign.MAIL_PRIVACY)),
        ("curl/8.5.0", machine(Sign.SCRIPT)),
    ],
    ids=["browser", "gmail", "yahoo", "apple", "curl"],
)
def test_who_opens(agent: str, judged: Judged) -> None:
    request = Request(kind=Kind.OPEN, at=LATER, user_agent=agent)
    assert judge(request, channel="email", accepted_at=ACCEPTED) == judged


@pytest.mark.parametrize(
    ("method", "headers", "sign"),
    [
        ("HEAD", {}, Sign.HEAD),
        ("GET", {"sec-purpose": "prefetch"}, Sign.PREFETCH),
        ("GET", {"sec-purpose": "prefetch;prerender"}, Sign.PREFETCH),
        ("GET", {"purpose": "prefetch"}, Sign.PREFETCH),
        ("GET", {"x-purpose": "preview"}, Sign.PREFETCH),
        ("GET", {"x-moz": "prefetch"}, Sign.PREFETCH),
        ("GET", {"purpose": "navigation"}, Sign.NONE),
    ],
)
def test_who_only_looks_ahead(method: str, headers: dict[str, str], sign: Sign) -> None:
    request = Request(kind=Kind.CLICK, at=LATER, user_agent=CHROME, method=method, headers=headers)
    assert judge(request, channel="sms", accepted_at=ACCEPTED).sign == sign


@pytest.mark.parametrize(
    ("channel", "after_ms", "who"),
    [
        ("email", 4_999, Who.MACHINE),
        ("email", 5_000, Who.PERSON),
        ("sms", 2_999, Who.MACHINE),
        ("sms", 3_000, Who.PERSON),
        ("messenger", 999, Who.MACHINE),
        ("messenger", 1_000, Who.PERSON),
        ("pigeon", 999, Who.MACHINE),
    ],
)
def test_nobody_reads_before_the_message_is_there(channel: str, after_ms: int, who: Who) -> None:
    request = Request(kind=Kind.CLICK, at=ACCEPTED + after_ms * 1000, user_agent=IPHONE)
    assert judge(request, channel=channel, accepted_at=ACCEPTED).who == who
    assert judge(request, channel=channel, accepted_at=None) == machine(Sign.TOO_SOON)


def person(kind: Kind, nth: int, at: int) -> Earlier:
    return Earlier(kind, nth, at, Who.PERSON, Sign.NONE)


CLICK, OPEN, TRAP = Kind.CLICK, Kind.OPEN, Kind.TRAP


@pytest.mark.parametrize(
    ("before", "sign"),
    [
        ([], Sign.NONE),
        ([person(CLICK, 0, LATER - 100_000)], Sign.NONE),  # the same link twice: a double click
        ([person(CLICK, 1, LATER - 999_999)], Sign.BURST),
        ([person(CLICK, 1, LATER - S)], Sign.NONE),
        ([Earlier(CLICK, 1, LATER - 1, Who.MACHINE, Sign.PREVIEW)], Sign.NONE),
        ([Earlier(CLICK, 1, LATER - 1, Who.MACHINE, Sign.BURST)], Sign.BURST),
        ([person(OPEN, 0, LATER - 1)], Sign.NONE),
        ([Earlier(TRAP, 31, LATER - 59 * S, Who.MACHINE, Sign.TRAPPED)], Sign.TRAPPED),
        ([Earlier(TRAP, 31, LATER - 61 * S, Who.MACHINE, Sign.TRAPPED)], Sign.NONE),
    ],
)
def test_a_hit_is_known_by_its_company(before: list[Earlier], sign: Sign) -> None:
    request = Request(kind=CLICK, at=LATER, user_agent=CHROME, nth=0)
    assert judge(request, channel="email", accepted_at=ACCEPTED, before=before).sign == sign


def test_only_a_machine_finds_the_trap() -> None:
    request = Request(kind=TRAP, at=LATER, user_agent=CHROME, nth=31)
    assert judge(request, channel="email", accepted_at=ACCEPTED) == machine(Sign.TRAPPED)


@pytest.mark.parametrize(
    ("hits", "clicked", "opened"),
    [
        ([], None, None),
        ([person(OPEN, 0, 1), person(CLICK, 0, 5), person(CLICK, 0, 9)], 5, 1),
        ([person(CLICK, 0, 9 * S), person(CLICK, 1, 5 * S)], 5 * S, None),
        # a scanner without a name: its first request looked like a person's
        ([person(CLICK, 0, 5), person(CLICK, 1, 300_000)], None, None),
        (
            [person(CLICK, 0, 5), person(CLICK, 1, 300_000), person(CLICK, 1, 50 * S)],
            50 * S,
            None,
        ),
        ([person(CLICK, 0, 5), Earlier(TRAP, 31, S, Who.MACHINE, Sign.TRAPPED)], None, None),
        ([Earlier(CLICK, 0, 5, Who.MACHINE, Sign.SCANNER)], None, None),
    ],
)
def test_what_stands_once_all_is_known(
    hits: list[Earlier], clicked: int | None, opened: int | None
) -> None:
    found = standing(hits)
    assert (found.clicked_at, found.opened_at) == (clicked, opened)
