"""The shop in a real browser: what a user does, and what goes wrong meanwhile.

Started by scripts/browser, with the program and a directory for screenshots.
Would catch pages that break in a browser alone: a policy that blocks our own script, an exchange that
a double click, the way back or a lost answer makes twice, stock that stands still, a page that cannot
be used by keyboard, by a screen reader, on a narrow screen, or without a script.
"""

import http.server
import json
import re
import subprocess
import sys
import tempfile
import threading
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

PROGRAM, SHOTS = sys.argv[1], Path(sys.argv[2])
KFC = "/products/prod_kfc"
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


class Shop:
    """A server of its own, with the demo's catalogue."""

    def __init__(self, *settings):
        self.dir = tempfile.TemporaryDirectory()
        self.server = subprocess.Popen(
            [PROGRAM, "serve", "--demo", "--listen", "127.0.0.1:0", "--data-dir", self.dir.name, *settings],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in self.server.stdout:
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                self.url = found.group()
                return
        raise SystemExit("the server does not start")

    def token(self, user, role="user", *more):
        made = subprocess.run(
            [PROGRAM, "token", "--user", user, "--role", role, "--data-dir", self.dir.name, *more],
            check=True, capture_output=True, text=True)
        return made.stdout.strip().splitlines()[-1]

    def ask(self, token, path, body=None, method=None, part="data"):
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "If-Match": "*"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)[part]

    def orders(self, user):
        return self.ask(self.token(user), "/api/mall/orders")["orders"]

    def close(self):
        self.server.terminate()
        assert self.server.wait(timeout=60) == 0, "the server did not end well"
        self.dir.cleanup()


@contextmanager
def shop(*settings):
    """What fails inside is what is told, and not that the server was still busy."""
    opened = Shop(*settings)
    try:
        yield opened
    except BaseException:
        opened.server.kill()
        raise
    opened.close()


def visit(browser, shop, user=None, **options):
    """A page of a browser of its own. What its console complains of fails the test at the end."""
    options = {"locale": "en-GB", "viewport": {"width": 390, "height": 844}, **options}
    context = browser.new_context(base_url=shop.url, **options)
    page = context.new_page()
    page.complaints = []
    page.on("console", lambda it: page.complaints.append(it.text) if it.type == "error" else None)
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    if user:
        page.goto(shop.token(user, "user", "--link", "--at", shop.url))
        page.get_by_role("button").filter(has_text=user).click()
        page.wait_for_url(f"{shop.url}/")
    return page


def content(page):
    assert not page.complaints, page.complaints
    page.context.close()


def look(page, name):
    """Accessible, not wider than the screen, and kept to be looked at."""
    found = Axe().run(page, options={"runOnly": LEVELS})
    wrong = [f"{it['id']}: {it['nodes'][0]['html']}" for it in found.response["violations"]]
    assert not wrong, f"{name}: {wrong}"
    wide, screen = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= screen, f"{name} is {wide} wide on a screen of {screen}"
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


def until(page, script):
    """Waits for what a page shows nobody. The policy of our pages lets no text be run by a page itself."""
    for _ in range(200):
        if page.evaluate(script):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never: {script}")


def pass_time_until(page, seen):
    """Lets the page's own time pass, as long as what it waits for besides takes."""
    for _ in range(600):
        if seen():
            return
        page.clock.run_for(1_000)
        page.wait_for_timeout(10)
    raise AssertionError("it is never seen")


def review(page, quantity=1, path=KFC):
    page.goto(path)
    page.get_by_label("Quantity").fill(str(quantity))
    page.get_by_role("button", name="Exchange").click()
    page.wait_for_url("**/exchange?**")


def a_user_exchanges_points(browser):
    with shop() as it:
        page = visit(browser, it, "demo")
        page.get_by_label("Search for products").fill("KFC")
        page.get_by_role("button", name="Search").click()
        page.get_by_role("link", name="KFC").click()
        expect(page.locator("#stock")).to_have_text("500")
        review(page, 2)
        page.get_by_label("Recipient").fill("Ann")
        page.get_by_label("Confirm it at once").uncheck()
        page.get_by_role("button", name="Exchange now").click()
        page.wait_for_url("**/orders/ord_*")
        expect(page.locator("#state")).to_have_attribute("data-state", "pending")
        expect(page.locator("[data-deadline]")).to_have_text(re.compile(r"^1[45]:\d\d$"))
        page.get_by_role("button", name="Confirm the order").click()
        expect(page.locator("#state")).to_have_attribute("data-state", "confirmed")
        page.get_by_label("Phone").fill("42")
        page.get_by_role("button", name="Save the delivery").click()
        page.wait_for_load_state()
        expect(page.get_by_label("Recipient")).to_have_value("Ann")
        expect(page.get_by_label("Phone")).to_have_value("42")
        assert it.orders("demo")[0]["deliveryInfo"] == {"recipient": "Ann", "phone": "42"}
        assert [order["quantity"] for order in it.orders("demo")] == [2]
        page.get_by_role("link", name="My points").click()
        expect(page.get_by_text("982,200").first).to_be_visible()
        content(page)


def two_users_and_one_unit(browser):
    with shop() as it:
        ops = it.token("ops", "operator")
        it.ask(ops, "/api/admin/inventory/prod_kfc/count", {"counted": 1, "reason": "one left"})
        for user in ["ann", "bob"]:
            it.ask(ops, f"/api/admin/points/{user}/award", {"points": 9000})
        ann, bob = visit(browser, it, "ann"), visit(browser, it, "bob")
        for page in [ann, bob]:
            review(page)
        watching = visit(browser, it)
        watching.goto(KFC)
        expect(watching.locator("#stock")).to_have_text("1")
        ann.get_by_role("button", name="Exchange now").click()
        ann.wait_for_url("**/orders/ord_*")
        expect(watching.locator("#stock")).to_have_text("Sold out")
        bob.get_by_role("button", name="Exchange now").click()
        expect(bob.get_by_role("alert")).to_contain_text("It is sold out.")
        expect(bob.get_by_role("alert")).to_contain_text("Nothing was changed.")
        look(bob, "sold-out")
        assert (len(it.orders("ann")), len(it.orders("bob"))) == (1, 0)
        # What is refused is said by a status, and browsers write that down.
        bob.complaints = [text for text in bob.complaints if "409" not in text]
        for page in [ann, bob, watching]:
            content(page)


def a_deadline_is_seen_to_pass(browser):
    with shop("--reservation-ttl", "2s") as it:
        page = visit(browser, it, "demo")
        review(page)
        page.get_by_label("Confirm it at once").uncheck()
        page.get_by_role("button", name="Exchange now").click()
        expect(page.locator("#state")).to_have_attribute("data-state", "expired", timeout=30_000)
        page.goto(KFC)
        expect(page.locator("#stock")).to_have_text("500")
        content(page)


def a_lost_answer_is_no_second_order(browser):
    with shop() as it:
        page = visit(browser, it, "demo")
        review(page)
        tries = []

        def lose(route):
            if route.request.method != "POST":
                return route.continue_()
            tries.append(route.request.post_data)
            if len(tries) == 1:
                # The server has it, and the answer never comes.
                route.fetch(max_redirects=0)
                return route.abort("connectionreset")
            return route.continue_()

        page.route("**/exchange", lose)
        page.get_by_role("button", name="Exchange now").click()
        page.wait_for_url("**/orders/ord_*")
        assert len(tries) == 2 and tries[0] == tries[1], tries
        assert len(it.orders("demo")) == 1
        page.complaints = [text for text in page.complaints if "ERR_CONNECTION_RESET" not in text]
        content(page)


def a_network_that_comes_back(browser):
    with shop() as it:
        page = visit(browser, it, "demo")
        review(page)
        page.context.set_offline(True)
        page.get_by_role("button", name="Exchange now").click()
        expect(page.get_by_role("status")).to_contain_text("The network is gone.")
        page.context.set_offline(False)
        page.wait_for_url("**/orders/ord_*")
        assert len(it.orders("demo")) == 1
        page.complaints = [text for text in page.complaints if "ERR_INTERNET_DISCONNECTED" not in text]
        content(page)


BUSY = """<!DOCTYPE html><title>Busy</title><main tabindex="-1"><p id="told"></p>
<section role="alert"><p><strong>We are busy.</strong></p></section><button>Try again</button></main>"""


def a_server_that_stays_busy_has_the_last_word(browser):
    with shop() as it:
        page = visit(browser, it, "demo")
        page.clock.install()
        review(page)
        tries = []

        def busy(route):
            tries.append(route.request.post_data)
            route.fulfill(status=503, content_type="text/html", body=BUSY, headers={"Retry-After": "3"})

        page.route("**/exchange", busy)
        page.get_by_role("button", name="Exchange now").click()
        expect(page.get_by_role("status")).to_have_text("We are busy.")
        pass_time_until(page, page.get_by_role("alert").is_visible)
        expect(page.get_by_role("alert")).to_have_text("We are busy.")
        assert len(tries) == 8 and len(set(tries)) == 1, tries
        page.complaints = [text for text in page.complaints if "503" not in text]
        content(page)


def nobody_answers_and_the_button_is_back(browser):
    with shop() as it:
        page = visit(browser, it, "demo")
        page.clock.install()
        review(page)
        tries = []

        def lose(route):
            tries.append(route.request.post_data)
            route.abort("connectionrefused")

        page.route("**/exchange", lose)
        button = page.get_by_role("button", name="Exchange now")
        button.click()
        expect(button).to_be_disabled()
        pass_time_until(page, button.is_enabled)
        expect(page.get_by_role("status")).to_contain_text("It could not be sent.")
        page.unroute("**/exchange")
        button.click()
        page.wait_for_url("**/orders/ord_*")
        assert len(tries) == 8 and len(set(tries)) == 1, tries
        assert len(it.orders("demo")) == 1
        page.complaints = [text for text in page.complaints if "ERR_CONNECTION_REFUSED" not in text]
        content(page)


def a_flash_sale(browser):
    """Two buyers and one unit: the time is the server's, and each is told what became of it."""
    with shop() as it:
        ops = it.token("ops", "operator")
        it.ask(ops, "/api/admin/inventory/prod_kfc/count", {"counted": 1, "reason": "one left"})
        for user in ["ann", "bob"]:
            it.ask(ops, f"/api/admin/points/{user}/award", {"points": 9000})

        def begin(in_ms):
            now = it.ask(ops, "/api/mall/levels", part="timestamp")
            it.ask(ops, "/api/admin/products/prod_kfc", {"saleStartsAt": now + in_ms}, method="PATCH")

        begin(3_600_000)
        ann, bob, watching = visit(browser, it, "ann"), visit(browser, it, "bob"), visit(browser, it)
        # A clock that is a day wrong changes nothing.
        bob.add_init_script("const real = Date.now; Date.now = () => real() + 86_400_000;")
        ann.clock.install()
        for page in [ann, bob, watching]:
            page.goto(KFC)
            page.get_by_role("link", name="To the sale").click()
            page.wait_for_url("**/sale")
            expect(page.get_by_role("timer")).to_have_text(re.compile(r"^It begins in (01:00:00|5\d:\d\d)$"))
        buttons = [page.get_by_role("button", name="Exchange now") for page in [ann, bob]]
        for button in buttons:
            expect(button).to_be_disabled()
        look(bob, "sale-before")
        # Time passes in the browser alone: the page believes it, and the server does not.
        ann.clock.run_for(3_601_000)
        expect(ann.get_by_role("timer")).to_have_text("It has begun.")
        buttons[0].click()
        expect(ann.get_by_role("alert")).to_contain_text("The sale has not begun.")
        assert it.orders("ann") == []
        begin(2_000)
        for page in [ann, bob]:
            page.goto(f"{KFC}/sale")
        pass_time_until(ann, buttons[0].is_enabled)
        expect(buttons[1]).to_be_enabled(timeout=20_000)
        look(bob, "sale-begun")
        # Both have clicked before either is heard.
        held = []
        for page in [ann, bob]:
            page.route(
                "**/sale", lambda it: held.append(it) if it.request.method == "POST" else it.continue_()
            )
        for button in buttons:
            button.evaluate("it => it.click()")
        while len(held) < 2:
            watching.wait_for_timeout(10)
        for request in held:
            request.continue_()
        expect(watching.locator("#stock")).to_have_text("Sold out")
        won, lost = (ann, bob) if it.orders("ann") else (bob, ann)
        won.wait_for_url("**/orders/ord_*")
        expect(won.locator("#state")).to_have_attribute("data-state", "confirmed")
        expect(lost.get_by_role("alert")).to_contain_text("It is sold out.")
        expect(lost.get_by_role("alert")).to_contain_text("Nothing was changed.")
        look(lost, "sale-lost")
        assert sorted(len(it.orders(user)) for user in ["ann", "bob"]) == [0, 1]
        expect(watching.locator("[data-when-sold-out]")).to_be_visible()
        look(watching, "sale-sold-out")
        for page in [ann, bob, watching]:
            page.complaints = [text for text in page.complaints if "409" not in text]
            content(page)


# What a browser does with a page behind another, which a headless one never does by itself.
HIDE = """hidden => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
STREAMS = """
  window.streams = [];
  const Real = window.EventSource;
  window.EventSource = class extends Real { constructor(...all) { super(...all); window.streams.push(this); } };
"""


def only_a_page_that_is_seen_watches_the_stock(browser):
    with shop() as it:
        page = visit(browser, it)
        page.add_init_script(STREAMS)
        page.clock.install()
        page.goto(KFC)
        states = lambda: page.evaluate("window.streams.map(it => it.readyState)")
        expect(page.locator("#stock")).to_have_text("500")
        until(page, "window.streams[0].readyState === 1")
        page.evaluate(HIDE, True)
        assert states() == [2], states()
        it.ask(it.token("demo"), "/api/mall/exchange", {"productId": "prod_kfc", "quantity": 1, "confirm": True})
        page.evaluate(HIDE, False)
        expect(page.locator("#stock")).to_have_text("499")
        # One that is refused is tried again after a pause, which a browser does not do by itself.
        page.route("**/stock", lambda route: route.fulfill(status=503, body="busy"))
        page.evaluate(HIDE, True)
        page.evaluate(HIDE, False)
        until(page, "window.streams.at(-1).readyState === 2")
        page.unroute("**/stock")
        it.ask(it.token("demo"), "/api/mall/exchange", {"productId": "prod_kfc", "quantity": 1, "confirm": True})
        pass_time_until(page, lambda: page.locator("#stock").text_content() == "498")
        page.complaints = [text for text in page.complaints if "503" not in text]
        content(page)


def a_board_says_when_it_is_old(browser):
    with shop() as it:
        page = visit(browser, it)
        page.goto(it.token("olga", "operator", "--link", "--at", it.url))
        page.get_by_role("button").filter(has_text="olga").click()
        page.get_by_role("link", name="Console").click()
        page.route("**/console", lambda route: route.fulfill(status=503, body="busy"))
        expect(page.get_by_role("status")).to_contain_text("This could not be brought up to date")
        look(page, "console-board-old")
        page.unroute("**/console")
        expect(page.locator("#told")).to_be_empty()
        # Whose session is over is asked who they are.
        page.context.clear_cookies()
        page.wait_for_url("**/sign-in?next=*")
        page.complaints = [text for text in page.complaints if "503" not in text]
        content(page)


def a_double_click_and_the_way_back(browser):
    with shop() as it:
        page = visit(browser, it, "demo")
        review(page)
        page.get_by_role("button", name="Exchange now").dblclick()
        page.wait_for_url("**/orders/ord_*")
        assert len(it.orders("demo")) == 1
        content(page)
        # Without a script the browser itself sends the form again.
        page = visit(browser, it, "demo", java_script_enabled=False)
        review(page, 3)
        page.get_by_role("button", name="Exchange now").click()
        page.wait_for_url("**/orders/ord_*")
        first = page.url
        page.go_back()
        page.get_by_role("button", name="Exchange now").click()
        page.wait_for_url("**/orders/ord_*")
        assert page.url == first and len(it.orders("demo")) == 2
        content(page)


def every_page_is_for_everybody(browser):
    with shop() as it:
        for scheme, width, locale in [("light", 320, "en-GB"), ("dark", 1280, "zh-CN")]:
            page = visit(browser, it, "demo", color_scheme=scheme, locale=locale,
                         viewport={"width": width, "height": 900})
            made = it.ask(it.token("demo"), "/api/mall/exchange", {"productId": "prod_kfc", "quantity": 1})
            paths = ["/", "/products", KFC, f"{KFC}/exchange", f"{KFC}/sale", "/orders", f"/orders/{made['orderId']}",
                     "/points", "/preferences", "/sign-in"]
            for path in paths:
                page.goto(path)
                name = path.strip("/").split("/")[0] or "home"
                look(page, f"{name}-{paths.index(path)}-{scheme}-{width}-{locale}")
            content(page)


def the_keyboard_suffices(browser):
    with shop() as it:
        page = visit(browser, it, "demo")
        page.goto(f"{KFC}/exchange?quantity=1")

        def tab_to(name):
            for _ in range(40):
                page.keyboard.press("Tab")
                if page.evaluate("document.activeElement.textContent").strip() == name:
                    return
            raise AssertionError(f"{name} is not reached")

        tab_to("Skip to the content")
        page.keyboard.press("Enter")
        tab_to("Exchange now")
        page.keyboard.press("Enter")
        page.wait_for_url("**/orders/ord_*")
        content(page)


def an_operators_day(browser):
    with shop() as it:
        made = it.ask(it.token("demo"), "/api/mall/exchange",
                      {"productId": "prod_kfc", "quantity": 3, "confirm": True})
        page = visit(browser, it)
        page.goto(it.token("olga", "operator", "--link", "--at", it.url))
        page.get_by_role("button").filter(has_text="olga").click()
        page.get_by_role("link", name="Console").click()
        expect(page.get_by_role("row", name="journal")).to_contain_text("well")
        look(page, "console-board")
        events = page.locator("dt:has-text('Durable events') + dd")
        before = events.text_content()

        page.get_by_role("link", name="All orders").click()
        page.get_by_label("User").fill("demo")
        page.get_by_role("button", name="Search").click()
        look(page, "console-orders")
        page.get_by_role("link", name=re.compile("^EX")).click()
        page.get_by_label("Tracking number").fill("SF1234567890")
        page.get_by_role("button", name="Send").click()
        expect(page.locator("#state")).to_have_attribute("data-state", "shipped")
        page.get_by_label("Units to give back").fill("1")
        page.get_by_label("Reason").last.fill("one was crushed")
        page.get_by_role("button", name="Refund").click()
        expect(page.get_by_text("one was crushed")).to_be_visible()
        look(page, "console-order")
        page.get_by_role("button", name="Completed").click()
        expect(page.locator("#state")).to_have_attribute("data-state", "completed")
        order = it.ask(it.token("demo"), f"/api/mall/orders/{made['orderId']}")
        assert (order["returnedQuantity"], order["trackingNo"]) == (1, "SF1234567890"), order

        page.get_by_role("link", name="Products and stock").click()
        look(page, "console-products")
        page.get_by_role("link", name="KFC").click()
        page.get_by_label("Quantity").fill("20")
        page.get_by_label("Reason").fill("a delivery")
        page.get_by_role("button", name="Receive").click()
        row = page.get_by_role("row", name="a delivery")
        expect(row).to_contain_text("olga")
        expect(row).to_contain_text("518")
        look(page, "console-product")

        page.get_by_role("link", name="Users and points").click()
        page.get_by_label("User").fill("demo")
        page.get_by_role("button", name="Search").click()
        page.get_by_label("points", exact=True).fill("500")
        page.get_by_label("Reason").fill("for the trouble")
        page.get_by_role("button", name="Award").click()
        expect(page.get_by_role("row", name="for the trouble")).to_contain_text("olga")
        look(page, "console-user")

        # The board goes on by itself.
        page.get_by_role("link", name="Sale board").click()
        expect(events).not_to_have_text(before)
        shown = events.text_content()
        it.ask(it.token("demo"), "/api/mall/exchange", {"productId": "prod_kfc", "quantity": 1})
        expect(events).not_to_have_text(shown)
        content(page)


class Gone(http.server.BaseHTTPRequestHandler):
    """A receiver of webhooks that wants no more of them."""

    def do_POST(self):
        self.send_response(410)
        self.end_headers()

    def log_message(self, *_):
        pass


def the_rest_of_the_console(browser):
    gone = http.server.HTTPServer(("127.0.0.1", 0), Gone)
    threading.Thread(target=gone.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as backup, shop("--webhook-private-hosts", "127.0.0.1", "--backup-to", backup) as it:
        ops = it.token("root", "admin")
        it.ask(ops, "/api/admin/webhooks",
               {"receiverId": "till", "url": f"http://127.0.0.1:{gone.server_port}/in", "events": ["order.created"]})
        it.ask(it.token("demo"), "/api/mall/exchange", {"productId": "prod_kfc", "quantity": 2, "confirm": True})
        it.ask(ops, "/api/admin/inventory/prod_kfc/receive", {"quantity": 7, "reason": "a delivery"})
        paths = ["records", "records?operator=root", "sagas", "webhooks", "copies", "settings", "products/prod_kfc"]
        for scheme in ["light", "dark"]:
            for width, locale in [(320, "en-GB"), (1280, "zh-CN")]:
                page = visit(browser, it, color_scheme=scheme, locale=locale, viewport={"width": width, "height": 900})
                page.goto(it.token("root", "admin", "--link", "--at", it.url))
                page.get_by_role("button").filter(has_text="root").click()
                page.wait_for_url(f"{it.url}/")
                for path in paths:
                    page.goto(f"/console/{path}")
                    if path == "webhooks":
                        expect(page.get_by_text("it is gone (410)").first).to_be_visible()
                    look(page, f"console-{path.split('?')[0].replace('/', '-')}-{paths.index(path)}-{scheme}-{width}-{locale}")
                content(page)

        page = visit(browser, it)
        page.goto(it.token("root", "admin", "--link", "--at", it.url))
        page.get_by_role("button").filter(has_text="root").click()
        page.get_by_role("link", name="Console").click()
        page.get_by_role("link", name="Who did what").click()
        page.get_by_label("Who", exact=True).fill("root")
        page.get_by_role("button", name="Search").click()
        expect(page.get_by_role("row", name="a delivery")).to_contain_text("root")
        page.get_by_role("link", name="Settings").click()
        expect(page.get_by_role("row", name="backup_to")).to_contain_text(backup)
        page.get_by_role("link", name="Webhooks").click()
        page.get_by_role("button", name="Deliver again").click()
        expect(page.get_by_role("button", name="Deliver again")).to_have_count(0)
        content(page)
    gone.shutdown()


def many_orders_and_the_catalogue(browser):
    with shop() as it, tempfile.TemporaryDirectory() as files:
        demo, ops = it.token("demo"), it.token("ops", "operator")
        one = {"productId": "prod_kfc", "quantity": 1, "confirm": True}
        made = [it.ask(demo, "/api/mall/exchange", one)["orderId"] for _ in range(2)]
        it.ask(ops, "/api/admin/products/prod_movie", {"waitingPlaces": 9}, method="PATCH")
        it.ask(ops, "/api/admin/inventory/prod_movie/count", {"counted": 0, "reason": "sold out"})
        it.ask(demo, "/api/mall/products/prod_movie/waiting-list", {})
        link = it.token("olga", "operator", "--link", "--at", it.url)
        page = visit(browser, it, viewport={"width": 320, "height": 900})
        page.goto(link)
        page.get_by_role("button").filter(has_text="olga").click()
        page.goto("/console/dispatch")
        table = Path(files) / "orders.csv"
        table.write_text("order,do,trackingNo,carrier\n" + f"{made[0]},ship,SF1,\n{made[1]},ship,SF2,\nord_x,ship,SF3,\n")
        page.get_by_label("Read it from a file").set_input_files(table)
        expect(page.get_by_label("The table")).to_have_value(re.compile("SF3"))
        page.get_by_role("button", name="Carry it out").click()
        expect(page.get_by_role("alert")).to_contain_text("Done: 2 · Refused: 1")
        look(page, "console-dispatch-told-320")
        expect(page.get_by_label("Read it from a file")).to_be_visible()
        # The same again, as after a lost answer.
        page.get_by_role("button", name="Carry it out").click()
        expect(page.get_by_role("alert")).to_contain_text("Done: 2 · Refused: 1")
        assert [order["trackingNo"] for order in it.orders("demo")] == ["SF2", "SF1"]

        page.get_by_role("link", name="Import and export").click()
        with page.expect_download() as saved:
            page.get_by_role("link", name="Export all as CSV").click()
        file = Path(saved.value.path()).read_text()
        page.get_by_label("The table").fill(file.replace("KFC全家桶券", "KFC桶"))
        page.get_by_role("button", name="Only look").click()
        expect(page.get_by_role("alert")).to_contain_text("Would be written: 1")
        page.get_by_role("button", name="Import", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("Written: 1")
        look(page, "console-catalogue-told-320")
        assert it.ask(ops, "/api/admin/products/prod_kfc")["name"] == "KFC桶"
        page.get_by_role("link", name="Waiting lists").click()
        page.get_by_role("link", name="prod_movie").click()
        expect(page.get_by_role("row").filter(has_text="demo")).to_be_visible()
        content(page)
        paths = ["dispatch", "catalogue", "lines", "lines?product_id=prod_movie", "experiments", "reports"]
        for scheme, width, locale in [("light", 320, "en-GB"), ("dark", 1280, "zh-CN")]:
            page = visit(browser, it, color_scheme=scheme, locale=locale, viewport={"width": width, "height": 900})
            page.goto(it.token("olga", "operator", "--link", "--at", it.url))
            page.get_by_role("button").filter(has_text="olga").click()
            page.wait_for_url(f"{it.url}/")
            for path in paths:
                page.goto(f"/console/{path}")
                look(page, f"console-{path.split('?')[0]}-{paths.index(path)}-{scheme}-{width}-{locale}")
            content(page)


WALKS = [the_rest_of_the_console, many_orders_and_the_catalogue, an_operators_day, a_user_exchanges_points, two_users_and_one_unit, a_deadline_is_seen_to_pass,
         a_lost_answer_is_no_second_order, a_network_that_comes_back, a_double_click_and_the_way_back,
         a_server_that_stays_busy_has_the_last_word, nobody_answers_and_the_button_is_back,
         a_flash_sale, only_a_page_that_is_seen_watches_the_stock, a_board_says_when_it_is_old, every_page_is_for_everybody, the_keyboard_suffices]

with sync_playwright() as playwright:
    SHOTS.mkdir(parents=True, exist_ok=True)
    chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-dev-shm-usage"])
    # One of them alone, to look at it: scripts/browser PROGRAM WORD
    chosen = [walk for walk in WALKS if all(word in walk.__name__ for word in sys.argv[3:])]
    for walk in chosen:
        walk(chromium)
        print(f"{walk.__name__.replace('_', ' ')}: ok", flush=True)
    chromium.close()
