"""Takes the pictures the READMEs show, from a running demonstration in Chinese.

What lives here: which screens, how wide, and keeping the files small. What must not: starting
the demonstration (script/server), or anything that changes a case.
"""

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from urllib.parse import urljoin

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from playwright.sync_api import Error as BrowserError

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs/pictures"
ADDRESS = "http://127.0.0.1:8000"
PASSWORD = os.environ.get("GESHI_DEMO_PASSWORD", "geshi-demo-2026")
LARGEST = 250_000
DESK = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
# Maps draw themselves after the last answer came.
SETTLE_MS = 1500

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-sync", "--disable-component-update"),
    *("--disable-background-networking", "--lang=zh-CN"),
]

Act = Callable[[Page], None]


class NoPicture(Exception):
    """A screen cannot be shown; the message says why."""


def stay(page: Page) -> None:
    """Nothing to do on the page."""


def open_first(*places: str) -> Act:
    """Open the first case of the first of these lists that has one."""

    def act(page: Page) -> None:
        for place in places:
            page.goto(urljoin(page.url, place))
            link = page.locator("main a[href*='/incidents/']").first
            if link.count():
                page.goto(urljoin(page.url, link.get_attribute("href") or ""))
                return
        raise NoPicture(f"no case is listed at {', '.join(places)}")

    return act


def or_report(page: Page) -> None:
    """Where nothing is open in the worker's grid, show how the worker reports."""
    if not page.locator("main a[href*='/incidents/']").count():
        page.goto(urljoin(page.url, "/worker/report/"))


def open_rating(page: Page) -> None:
    """Open a rating by the code of a case that waits for it, of somebody who left no phone."""
    page.goto(urljoin(page.url, "/command/queue/?state=callback"))
    rows = page.locator("main a[href*='/incidents/']").all()
    pages = dict.fromkeys(row.get_attribute("href") or "" for row in rows)
    page.context.clear_cookies()
    for case in pages:
        code = case.rstrip("/").rsplit("/", 1)[-1]
        page.goto(urljoin(page.url, f"/track/?code={code}"))
        link = page.locator("a[href*='/rate/']").first
        if link.count():
            page.goto(urljoin(page.url, link.get_attribute("href") or ""))
            return
    raise NoPicture("no case has a link to its rating")


def write_report(page: Page) -> None:
    """Type a report, without sending it."""
    page.fill("textarea[name=text]", "柳沟街东头的路灯坏了三天了，晚上走路看不清，前面还有个坑。")


@dataclass(frozen=True)
class Picture:
    """One file: where it is taken, as whom ("" is a resident) and how wide."""

    name: str
    path: str
    user: str = ""
    size: tuple[int, int] = (PHONE["width"], PHONE["height"])
    act: Act = stay


WIDE = (DESK["width"], DESK["height"])
PICTURES = (
    Picture("command", "/command/", "command", WIDE),
    Picture("queue", "/command/queue/", "command", WIDE),
    Picture(
        "case",
        "/command/queue/",
        "command",
        (1440, 1100),
        open_first(
            "/command/queue/?waiting=ruling", "/command/queue/?state=whistled", "/command/queue/"
        ),
    ),
    Picture("mediation", "/mediation/", "command", WIDE),
    Picture("worker", "/worker/", "worker", act=or_report),
    Picture("landing", "/"),
    Picture("report", "/report/", act=write_report),
    Picture("rate", "/command/queue/", "command", act=open_rating),
)


def main() -> int:
    address = (sys.argv[1] if len(sys.argv) > 1 else ADDRESS).rstrip("/")
    chromium = shutil.which("chromium")
    if chromium is None:
        print("Stopped: Chromium is missing; script/setup --test installs it.", file=sys.stderr)
        return 1
    TARGET.mkdir(parents=True, exist_ok=True)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium,
                args=FLAGS,
            )
            for picture in PICTURES:
                size = save(take(browser, address, picture), picture.name)
                print(f"  {picture.name}.png  {size // 1000} kB", flush=True)
            browser.close()
    except (BrowserError, NoPicture) as error:
        reason = str(error).splitlines()[0]
        print(f"Stopped: {reason}\nIs script/server running at {address}?", file=sys.stderr)
        return 1
    return 0


def take(browser: Browser, address: str, picture: Picture) -> bytes:
    """Return the screen as PNG; phones at twice the pixels."""
    width, height = picture.size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=2 if width < 700 else 1,
        locale="zh-CN",
        timezone_id="Asia/Shanghai",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(address)
    if picture.user:
        sign_in(page, address, picture.user)
    page.goto(address + picture.path)
    picture.act(page)
    page.wait_for_load_state("networkidle")
    page.evaluate("document.fonts.ready.then(() => window.scrollTo(0, 0))")
    page.wait_for_timeout(SETTLE_MS)
    shot = page.screenshot(animations="disabled", caret="hide")
    context.close()
    return shot


def sign_in(page: Page, address: str, username: str) -> None:
    page.goto(f"{address}/login/")
    page.fill("input[name=username]", username)
    page.fill("input[name=password]", PASSWORD)
    page.click("#sign-in button[type=submit]")
    page.wait_for_load_state()
    if page.url.startswith(f"{address}/login/"):
        raise NoPicture(f"{username} cannot sign in; the pictures need the demonstration county.")


def save(shot: bytes, name: str) -> int:
    """Write the picture with as many colours as fit into the limit; return its size in bytes."""
    image = Image.open(BytesIO(shot)).convert("RGB")
    for colours in (256, 128, 64, 32):
        buffer = BytesIO()
        image.quantize(colours, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
        if buffer.tell() <= LARGEST:
            break
    (TARGET / f"{name}.png").write_bytes(buffer.getvalue())
    return buffer.tell()


if __name__ == "__main__":
    sys.exit(main())
