"""The cheapest route through the open ways, and its first step as a try."""

from loyalty.ids import next_id
from messaging.channels.base import Outgoing, Ring
from messaging.decisions.endings import ended, figures, waits
from messaging.decisions.ways import Ways
from messaging.decisions.world import Case, Held, Try
from messaging.i18n import supported
from messaging.policy import fallback, route
from messaging.policy.fronts import Front, bell_of
from messaging.templates import Body, Reader, TemplateError, render
from messaging.wrapping import Tracked, track

PROVIDER_TTL_MAX_S = 7 * 24 * 3600
"""No provider keeps trying for longer than a week, whatever it is told."""


def routed(case: Case, ways: Ways) -> Try | Held:
    """The first step of the cheapest route; of those whose provider is down, the wait for it.

    What is urgent, or would be too late, takes the way that is there instead.
    """
    drafts = _Drafts(case, next_id())
    try:
        return _routed(case, ways, drafts)
    except TemplateError as error:
        return ended(case, "failed", f"template: {error}", figures(None, ways))


def _routed(case: Case, ways: Ways, drafts: "_Drafts") -> Try | Held:
    options = [_option(case, fronts[0], drafts) for fronts in ways.open.values()]
    need, shut = _need(case, ways), case.world.shut
    planned = route.plan(options, need)
    if planned.steps and planned.steps[0].option.channel in shut:
        standing = [option for option in options if option.channel not in shut]
        opens_at = min(shut[option.channel] for option in options if option.channel in shut)
        pressing = case.message.urgent or opens_at >= case.message.expires_at
        if not (standing and pressing):
            return waits(case.message.id, "provider_down", opens_at, figures(planned, ways))
        planned = route.plan(standing, need)
    if not planned.steps:
        return ended(case, "skipped", planned.reason, figures(planned, ways))
    return _try(case, planned, drafts, ways)


class _Drafts:
    """The words of one message by channel, links and all, each written when it is needed.

    A channel that is not taken needs none, unless its price depends on them. Raises TemplateError.
    """

    def __init__(self, case: Case, attempt_id: int) -> None:
        self.attempt_id = attempt_id
        self._case = case
        language = case.message.language or case.person.language
        self._reader = Reader(supported(language), case.person.timezone)
        self._written: dict[str, Tracked] = {}

    def of(self, channel: str) -> Tracked:
        written = self._written.get(channel)
        if written is None:
            written = self._written[channel] = self._write(channel)
        return written

    def _write(self, channel: str) -> Tracked:
        message, links = self._case.message, self._case.world.links
        body = render(message.template, message.context, self._reader, channel=channel)
        if links is None:
            return Tracked(body)
        return track(
            body,
            links,
            attempt_id=self.attempt_id,
            channel=channel,
            topic=message.topic,
            customer_id=message.customer_id,
        )


def _option(case: Case, front: Front, drafts: _Drafts) -> route.Option:
    channel = case.world.channels[front.kind]
    usual = case.world.policies.usual_of(channel.name)
    left_us = case.message.expires_at - case.world.now
    return route.Option(
        channel=channel.name,
        address_kind=front.kind,
        address=front.value,
        price=channel.price(lambda: drafts.of(channel.name).body, front.value),
        chance=case.chance(front.kind),
        reports=frozenset(channel.reports),
        # Half of the life that is left, at most: the fallback has to be worth something too.
        deadline_us=min(usual.patience_s * 1_000_000, left_us // 2),
    )


def _need(case: Case, ways: Ways) -> route.Need:
    """What is still asked for after the tries that she has missed, and what may still be spent."""
    message = case.message
    reach = message.reach_permille / 1000
    if reach and ways.missed:
        reach = max(0.0, 1 - (1 - reach) / ways.missed)
    cost_max = None if message.cost_max is None else max(0, message.cost_max - ways.spent)
    return route.Need(wants=message.wants, reach=reach, cost_max=cost_max)


def _try(case: Case, planned: route.Plan, drafts: _Drafts, ways: Ways) -> Try:
    step, message, world = planned.steps[0], case.message, case.world
    option, tracked = step.option, drafts.of(step.option.channel)
    ttl_s = fallback.ttl_s(
        now=world.now,
        deadline_us=step.deadline_us,
        expires_at=message.expires_at,
        provider_max_s=PROVIDER_TTL_MAX_S,
    )
    ring = _ring(case, ways, drafts, option)
    outgoing = Outgoing(
        message_id=message.id,
        attempt_id=drafts.attempt_id,
        address_kind=option.address_kind,
        address=option.address,
        body=tracked.body,
        topic=message.topic,
        ttl_s=max(1, ttl_s),
        unsubscribe_url=tracked.unsubscribe_url,
        preferences_url=tracked.preferences_url,
        ring=ring,
    )
    return Try(
        message=message,
        outgoing=outgoing,
        channel=world.channels[option.address_kind],
        cost=option.price,
        presses=world.policies.counts(message, option.channel),
        fallback_after_us=step.deadline_us,
        links=tracked.rows,
        others_left=sum(map(len, ways.open.values())) > 1,
        details={
            "channel": option.channel,
            "to": option.address_kind,
            "cost": option.price,
            "because": str(step.why),
            **({"rings": ring.address} if ring else {}),
            **figures(planned, ways),
        },
    )


def _ring(case: Case, ways: Ways, drafts: _Drafts, option: route.Option) -> Ring | None:
    """What rings beside the message, where notifications are open to it too.

    A click leads to the chat, where the message is: links of the notification's words are not.
    """
    chat, browsers = ways.open[option.channel][0], ways.open.get("webpush", ())
    browser = bell_of(chat, browsers, at=case.world.now)
    if browser is None or "webpush" in case.world.shut:
        return None
    words = drafts.of("webpush").body
    return Ring(browser.value, Body("", subject=words.subject, text=words.plain))
