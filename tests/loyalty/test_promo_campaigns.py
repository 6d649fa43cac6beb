"""Campaigns and their codes: made once however often it is said, by the million, imported."""

from dataclasses import replace

import pytest

from loyalty import promo_campaigns
from loyalty.database import query
from loyalty.programme import Programme
from loyalty.promo_campaigns import (
    Campaign,
    Generated,
    Imported,
    ToImport,
    lines_of_csv,
)
from loyalty.promo_terms import decode, encode
from loyalty.refusals import No, Refusal
from loyalty.rules.promo import Kind, Terms
from loyalty.rules.promo_codes import is_intact
from tests.loyalty.people import BORIS, joined

TEN = Terms(kind=Kind.PERCENT, permille=100)


async def made(programme: Programme, name: str = "letters", code: str | None = None) -> Campaign:
    campaign = await programme.campaigns.create(name, "Письма", TEN, shared_code=code)
    assert isinstance(campaign, Campaign), campaign
    return campaign


def code_of(answer: object) -> No:
    assert isinstance(answer, Refusal), answer
    return answer.code


@pytest.mark.parametrize(
    "terms",
    [
        TEN,
        replace(TEN, categories=("care", "vitamins"), shops=("s1",), total_max=3, starts_at=5),
        Terms(kind=Kind.GIFT, gift_name="Крем", stackable=True, frees_on_cancel=False),
    ],
)
def test_terms_are_kept_as_they_are(terms: Terms) -> None:
    assert decode(encode(terms)) == terms


async def test_a_campaign_is_made_once(programme: Programme) -> None:
    campaign = await made(programme, code="Весна-10")
    assert await made(programme, code="весна 10") == campaign
    create = programme.campaigns.create
    other = replace(TEN, permille=200)
    assert code_of(await create("letters", "Письма", other)) == No.KEY_REUSED
    assert code_of(await create("other", "T", TEN, shared_code="ВЕСНА10")) == No.PROMO_CODE_TAKEN
    for name, title, code in (("", "T", None), ("n", " ", None), ("n", "T", "a/b")):
        refusal = await create(name, title, TEN, shared_code=code)
        assert code_of(refusal) == No.INVALID_PROMO
    assert code_of(await create("n", "T", replace(TEN, permille=0))) == No.INVALID_PROMO
    assert [each.name for each in await programme.campaigns.all()] == ["letters"]


async def test_as_many_codes_as_asked_and_none_twice(
    programme: Programme, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promo_campaigns, "CHUNK", 40)
    campaign, steps = await made(programme), list[int]()
    first = await programme.campaigns.generate(campaign.id, 100, "mail", progress=steps.append)
    assert isinstance(first, Generated)
    assert (first.made, first.made_before, steps) == (100, 0, [40, 40, 20])
    codes = await programme.campaigns.codes("mail")
    pages = await programme.campaigns.codes("mail", limit=60)
    pages += await programme.campaigns.codes("mail", after=pages[-1])
    assert len(set(codes)) == 100
    assert pages == codes == sorted(codes)
    assert all(is_intact(code) for code in codes)
    again = await programme.campaigns.generate(campaign.id, 100, "mail")
    assert again == Generated(first.batch_id, 0, 100)
    assert code_of(await programme.campaigns.generate(campaign.id, 99, "mail")) == No.KEY_REUSED
    assert code_of(await programme.campaigns.generate(1, 9, "x")) == No.PROMO_CAMPAIGN_NOT_FOUND
    assert code_of(await programme.campaigns.generate(campaign.id, 0, "x")) == No.INVALID_PROMO
    assert (await programme.campaigns.figures(campaign.id)).codes == 100


async def test_broken_off_it_goes_on_where_it_was(
    programme: Programme, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promo_campaigns, "CHUNK", 10)
    campaign = await made(programme)

    def pull_the_plug(_done: int) -> None:
        raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            await programme.campaigns.generate(campaign.id, 35, "mail", progress=pull_the_plug)
    steps: list[int] = []
    rest = await programme.campaigns.generate(campaign.id, 35, "mail", progress=steps.append)
    assert isinstance(rest, Generated)
    assert steps[0] == rest.made_before > 0
    assert sum(steps) == rest.made + rest.made_before == 35
    assert len(await programme.campaigns.codes("mail")) == 35


async def test_codes_of_others_are_taken_over(programme: Programme) -> None:
    campaign, other = await made(programme), await made(programme, "other", "TAKEN")
    anna, boris = await joined(programme), await joined(programme, phone=BORIS, front_value="2")
    lines = [
        ToImport(1, "one-1"),
        ToImport(2, "TWO2", anna.id),
        ToImport(3, "two 2", anna.id),
        ToImport(4, "taken"),
        ToImport(5, "<script>"),
        ToImport(6, "SIX66", 999),
    ]
    done = await programme.campaigns.import_codes(campaign.id, lines, "file")
    assert isinstance(done, Imported)
    assert (done.added, done.known) == (2, 1)
    assert sorted(done.refused) == [
        (4, "taken", No.PROMO_CODE_TAKEN),
        (5, "<script>", No.INVALID_PROMO),
        (6, "SIX66", No.CUSTOMER_NOT_FOUND),
    ]
    assert [code.code for code in await programme.promo.codes_of(anna.id)] == ["TWO2"]
    again = await programme.campaigns.import_codes(campaign.id, lines, "file")
    assert isinstance(again, Imported)
    assert (again.added, again.known, sorted(again.refused)) == (0, 3, sorted(done.refused))
    stolen = [ToImport(1, "TWO2", boris.id)]
    result = await programme.campaigns.import_codes(campaign.id, stolen, "another file")
    assert isinstance(result, Imported)
    assert result.refused == [(1, "TWO2", No.PROMO_CODE_TAKEN)]
    assert code_of(await programme.campaigns.import_codes(other.id, [], "file")) == No.KEY_REUSED


def test_a_file_of_codes() -> None:
    text = ["code,customer\n", "A1B2,+79001234567\n", "\n", " C3D4 \n"]
    assert list(lines_of_csv(text)) == [(2, "A1B2", "+79001234567"), (4, "C3D4", "")]


async def test_one_code_may_be_revoked(programme: Programme) -> None:
    campaign = await made(programme)
    await programme.campaigns.generate(campaign.id, 2, "mail")
    one, two = await programme.campaigns.codes("mail")
    assert await programme.campaigns.revoke(campaign.id, one.lower())
    assert not await programme.campaigns.revoke(campaign.id, one)
    rows = await query("SELECT code FROM promo_code WHERE revoked_at IS NULL")
    assert [row["code"] for row in rows] == [two]
