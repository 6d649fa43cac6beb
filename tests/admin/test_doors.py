"""Every address: who may come in, and what everybody else is told."""

import io
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import product

import pytest

from admin.api.operations import OPERATIONS
from admin.auth import SESSION_LIFE
from admin.cookies import SESSION_COOKIE
from admin.till.door import CSRF_HEADER
from loyalty.clock import VirtualClock
from loyalty.models import Receipt, StaffMember, StaffSession
from loyalty.programme import Programme
from tests.admin.http import Client, api_key, sale, serving, sign_in
from tests.admin.people import PASSWORD, Chain
from tests.admin.test_frames import PAYLOAD, jpeg, photo
from tests.loyalty.people import ANNA, joined

API = [
    (o.method, "/api/v1" + o.path.replace("{id}", "1").replace("{number}", "R1"))
    for o in OPERATIONS
]
TILL = [(method, path.replace("/api/v1", "/till/api")) for method, path in API] + [
    ("GET", "/till/api/session"),
    ("POST", "/till/api/till"),
    ("POST", "/till/api/language"),
    ("POST", "/till/api/sign-out"),
    ("GET", "/till/api/products"),
    ("GET", "/till/api/recent"),
    ("GET", "/till/api/places"),
    ("POST", "/till/api/frames"),
]
OPEN = [
    ("GET", "/site/kapsula.js"),
    ("POST", "/api/v1/events"),  # by the key of a site: test_site_events_api
    ("OPTIONS", "/api/v1/events"),
    ("GET", "/api/v1/openapi.json"),
    ("GET", "/api/v1/docs"),
    ("GET", "/staff/login"),
    ("POST", "/staff/login"),
    ("POST", "/staff/logout"),  # sends who is not signed in to the sign-in page
    ("GET", "/till"),  # likewise
    ("GET", "/till/sw.js"),
    ("GET", "/staff/static/{version}/{name}"),
]


@pytest.fixture
async def client(chain: Chain, programme: Programme, clock: VirtualClock) -> AsyncIterator[Client]:
    async with serving(programme, clock) as client:
        yield client


async def test_every_route_is_decided(client: Client) -> None:
    app = client.app
    assert app is not None
    known = {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.method not in ("*", "HEAD")
    }
    decided = {
        (o.method, prefix + o.path) for o in OPERATIONS for prefix in ("/api/v1", "/till/api")
    }
    decided |= {entry for entry in TILL if "R1" not in entry[1] and "/1/" not in entry[1]}
    assert known == decided | set(OPEN)


NO_KEY = [
    None,
    "",
    "Bearer",
    "Bearer ",
    "Bearer x",
    "Basic YTpi",
    "Bearer kap_" + "a" * 43,
    "Bearer " + "x" * 4000,
    "kap_" + "a" * 43,
]


async def test_the_api_is_closed_without_a_key(client: Client) -> None:
    for (method, path), authorization in product(API, NO_KEY):
        headers = {"Content-Type": "application/json", "Idempotency-Key": "key-12345678"}
        if authorization is not None:
            headers["Authorization"] = authorization
        response = await client.request(method, path, data=b"{}", headers=headers)
        body = await response.json()
        assert response.status == 401, (path, authorization)
        assert body["code"] in ("credentials_required", "api_key_unknown")
        assert response.headers["WWW-Authenticate"].startswith("Bearer")


async def test_trying_keys_is_limited_per_address(client: Client) -> None:
    statuses = []
    for n in range(62):
        headers = {"Authorization": f"Bearer kap_{n:043d}"}
        response = await client.get("/api/v1/receipts/R1", headers=headers)
        statuses.append(response.status)
    assert statuses == [401] * 60 + [429] * 2


async def test_the_till_is_closed_without_a_session(
    client: Client, clock: VirtualClock, chain: Chain
) -> None:
    key = await api_key(clock, chain.garden_1.id)
    strangers: list[dict[str, str]] = [
        {},
        {"Cookie": f"{SESSION_COOKIE}={'x' * 43}"},
        {"Authorization": f"Bearer {key}"},  # a key is no session
    ]
    for (method, path), headers in product(TILL, strangers):
        response = await client.request(method, path, data=b"{}", headers=headers)
        assert response.status == 401, path
        assert (await response.json())["code"] in ("credentials_required", "session_ended")


async def test_a_session_is_no_key(client: Client) -> None:
    await sign_in(client, "boris")
    assert (await client.get("/api/v1/receipts/R1")).status == 401


async def test_a_change_needs_the_sessions_own_token(client: Client) -> None:
    await sign_in(client, "boris")
    changes = [path for method, path in TILL if method == "POST"]
    for path, token in product(changes, [None, "", "x", "x" * 43, "я"]):
        headers = {} if token is None else {CSRF_HEADER: token}
        response = await client.post(path, data=b"{}", headers=headers)
        assert response.status == 403, (path, token)
        assert (await response.json())["code"] == "csrf_refused"
    assert await StaffSession.filter(ended_at=None).count() == 1


async def test_a_cashier_sells(client: Client, programme: Programme, chain: Chain) -> None:
    await joined(programme)
    headers = {CSRF_HEADER: await sign_in(client, "boris"), "Idempotency-Key": "key-12345678"}
    response = await client.post("/till/api/receipts", json=sale("R1", card=ANNA), headers=headers)
    assert response.status == 200
    receipt = await Receipt.get()
    boris = await StaffMember.get(login="boris")
    assert (receipt.staff_id, receipt.till_id) == (boris.id, chain.lake_1.id)  # type: ignore[attr-defined]
    recent = await (await client.get("/till/api/recent")).json()
    assert [(row["receipt_number"], row["earned"]) for row in recent["receipts"]] == [("R1", 50)]


async def test_a_cashier_without_a_till_chooses_one_first(client: Client, chain: Chain) -> None:
    headers = {CSRF_HEADER: await sign_in(client, "anna")}
    lookup = await client.post("/till/api/lookup", json={"card": ANNA}, headers=headers)
    assert (lookup.status, (await lookup.json())["code"]) == (409, "till_required")
    foreign = await client.post(
        "/till/api/till", json={"till_id": str(chain.lake_1.id)}, headers=headers
    )
    assert (foreign.status, (await foreign.json())["code"]) == (404, "till_not_found")
    own = await client.post(
        "/till/api/till", json={"till_id": str(chain.garden_2.id)}, headers=headers
    )
    assert own.status == 200
    session = await (await client.get("/till/api/session")).json()
    assert session["till"] == {
        "id": str(chain.garden_2.id),
        "name": "Касса 2",
        "shop": "Аптека на Садовой",
    }


async def test_a_marketer_has_no_till(client: Client) -> None:
    token = await sign_in(client, "maria")
    assert token == ""  # not even the session's words
    assert (await client.get("/till/api/session")).status == 403
    page = await client.get("/till")
    assert page.status == 403
    form = await page.text()
    csrf_token = form.split('name="csrf_token" value="')[1].split('"')[0]
    assert (await client.post("/staff/logout", data={"csrf_token": "x"})).status == 403
    out = await client.post("/staff/logout", data={"csrf_token": csrf_token}, allow_redirects=False)
    assert (out.status, out.headers["Location"]) == (303, "/staff/login")
    assert await StaffSession.filter(ended_at=None).count() == 0


async def test_a_session_that_ended_sends_to_the_sign_in_page(
    client: Client, clock: VirtualClock
) -> None:
    await sign_in(client, "boris")
    assert (await client.get("/till")).status == 200
    clock.advance(SESSION_LIFE + timedelta(seconds=1))
    assert (await client.get("/till/api/session")).status == 401
    page = await client.get("/till", allow_redirects=False)
    assert (page.status, page.headers["Location"]) == (303, "/staff/login?next=/till")


async def test_signing_out(client: Client) -> None:
    headers = {CSRF_HEADER: await sign_in(client, "boris")}
    assert (await client.post("/till/api/sign-out", headers=headers)).status == 200
    assert (await client.get("/till/api/session")).status == 401


async def test_the_language_is_hers_and_stays(client: Client) -> None:
    headers = {CSRF_HEADER: await sign_in(client, "boris")}
    assert "Отсканируйте карту" in await (await client.get("/till")).text()
    done = await client.post("/till/api/language", json={"language": "en"}, headers=headers)
    assert done.status == 200
    assert "Scan the customer" in await (await client.get("/till")).text()
    bad = await client.post("/till/api/language", json={"language": "xx"}, headers=headers)
    assert bad.status == 422


# ---- the sign-in form ----


async def form_token(client: Client) -> str:
    page = await (await client.get("/staff/login")).text()
    return page.split('name="token" value="')[1].split('"')[0]


async def test_the_form_needs_its_own_browser(client: Client) -> None:
    form = {"login": "anna", "password": PASSWORD, "token": await form_token(client)}
    client.session.cookie_jar.clear()
    refused = await client.post("/staff/login", data=form, allow_redirects=False)
    assert refused.status == 403
    assert await StaffSession.all().count() == 0


@pytest.mark.parametrize(
    "destination",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/a\r\nX: y",
    ],
)
async def test_the_form_leads_only_to_our_own_pages(client: Client, destination: str) -> None:
    form = {"login": "anna", "password": PASSWORD, "token": await form_token(client)}
    response = await client.post(
        "/staff/login", data=form | {"next": destination}, allow_redirects=False
    )
    assert (response.status, response.headers["Location"]) == (303, "/till")


async def test_a_refused_sign_in_keeps_the_login_and_escapes_it(client: Client) -> None:
    form = {"login": '"><script>x</script>', "password": "p", "token": await form_token(client)}
    response = await client.post("/staff/login", data=form)
    assert response.status == 401
    page = await response.text()
    assert "<script>x" not in page
    assert "Неверный логин или пароль." in page


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (b"x" * 10_000_000, "application/x-www-form-urlencoded"),
        (b"a=" + b"&a=" * 50, "application/x-www-form-urlencoded"),
        (b"login=%ff&password=%fe", "application/x-www-form-urlencoded"),
        (b"\xff", "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
        (b"", "multipart/form-data"),
    ],
    ids=["huge", "many fields", "bad utf-8", "bytes", "json", "multipart"],
)
async def test_what_is_no_form_is_refused(client: Client, data: bytes, content_type: str) -> None:
    response = await client.post(
        "/staff/login", data=io.BytesIO(data), headers={"Content-Type": content_type}
    )
    assert 400 <= response.status < 500
    assert "<form" in await response.text()


async def test_cookies_are_closed_to_scripts_and_other_sites(client: Client) -> None:
    form = {"login": "anna", "password": PASSWORD, "token": await form_token(client)}
    response = await client.post("/staff/login", data=form, allow_redirects=False)
    cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


# ---- what every page promises ----


@pytest.mark.parametrize("path", ["/staff/login", "/till", "/api/v1/docs"])
async def test_pages_run_no_foreign_and_no_inline_script(client: Client, path: str) -> None:
    await sign_in(client, "boris")
    response = await client.get(path, allow_redirects=False)
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy or response.status == 303
    assert "unsafe" not in policy
    page = await response.text()
    assert "onclick=" not in page
    assert "style=" not in page
    assert page.count("<script") == page.count('<script type="application/json"') + page.count(
        '<script type="module" src="/staff/static/'
    )


async def test_the_service_worker_may_fetch_what_it_keeps(client: Client) -> None:
    response = await client.get("/till/sw.js")
    assert response.headers["Service-Worker-Allowed"] == "/till"
    assert "connect-src 'self'" in response.headers["Content-Security-Policy"]
    source = await response.text()
    for path in source.split("FILES = [")[1].split("]")[0].replace('"', "").split(", "):
        assert (await client.get(path)).status == 200


async def test_files_are_served_by_version_for_ever(client: Client) -> None:
    page = await (await client.get("/staff/login")).text()
    href = page.split('rel="stylesheet" href="')[1].split('"')[0]
    response = await client.get(href)
    assert response.status == 200
    assert "immutable" in response.headers["Cache-Control"]
    for wrong in (href.replace("staff.css", "../web.py"), href.replace("staff.css", "no.css")):
        assert (await client.get(wrong)).status == 404
    assert (await client.get("/staff/static/0000/staff.css")).status == 404


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("GET", "/api/v1/", 404, "not_found"),
        ("POST", "/api/v1/receipts/a/b/c", 404, "not_found"),
        ("GET", "/api/v1/lookup", 405, "method_not_allowed"),
        ("DELETE", "/api/v1/receipts/R1", 405, "method_not_allowed"),
        ("POST", "/api/v1/openapi.json", 405, "method_not_allowed"),
    ],
)
async def test_addresses_that_are_not_there(
    client: Client, method: str, path: str, status: int, code: str
) -> None:
    response = await client.request(method, path)
    assert (response.status, (await response.json())["code"]) == (status, code)
    assert ("Allow" in response.headers) == (status == 405)


# ---- what the page asks beside the till's operations ----


FOUND = [
    ("4600000000017", ["N20"]),
    ("N20", ["N20"]),
    ("нурофен", ["N20"]),
    ("НУРОФЕН", ["N20"]),
    ("сироп", ["I100"]),
    ("%", []),
    ("__", []),
    ("\\", []),
    ("' OR 1=1 --", []),
    ("", []),
    ("\0", []),
    ("x" * 5000, []),
]


async def test_products_are_found(client: Client) -> None:
    await sign_in(client, "boris")
    for text, skus in FOUND:
        response = await client.get("/till/api/products", params={"q": text})
        found = json.loads(await response.read())["products"]
        assert [each["sku"] for each in found] == skus, text


async def test_a_frame_is_decoded(client: Client) -> None:
    headers = {CSRF_HEADER: await sign_in(client, "boris"), "Content-Type": "image/jpeg"}
    read = await client.post("/till/api/frames", data=jpeg(photo(PAYLOAD)), headers=headers)
    assert (await read.json()) == {"text": PAYLOAD}
    large = await client.post("/till/api/frames", data=bytes(600 * 1024), headers=headers)
    assert large.status == 413
    headers["Content-Type"] = "image/png"
    assert (await client.post("/till/api/frames", data=b"x", headers=headers)).status == 415


async def test_a_cashier_who_asks_about_everybody_is_slowed_down(
    client: Client, clock: VirtualClock
) -> None:
    headers = {CSRF_HEADER: await sign_in(client, "boris")}
    statuses = [
        (
            await client.post(
                "/till/api/lookup", json={"card": f"+7900000{n:04d}"}, headers=headers
            )
        ).status
        for n in range(42)
    ]
    assert statuses.count(429) == 2
    clock.advance(timedelta(seconds=3))
    again = await client.post("/till/api/lookup", json={"card": ANNA}, headers=headers)
    assert again.status == 404
