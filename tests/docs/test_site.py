"""The built site in a browser: search, gallery, dark mode, phone; `make docs-test` builds it and runs these.

Screenshots at both widths and in both modes are left in docs/_build/screenshots.
"""

from __future__ import annotations

import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
SITE = DOCS / "_build" / "html"
SHOTS = DOCS / "_build" / "screenshots"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# One page of each kind.
PAGES = (
    "index.html",
    "install.html",
    "howto.html",
    "participants-and-items.html",
    "pupils-and-schools.html",
    "chapter/13-counts.html",
    "for_statsmodels_users.html",
    "algorithm.html",
    "limitations.html",
    "gallery.html",
    "small-areas.html",
    "reference/index.html",
    "reference/fit.html",
    "reference/api/mixedeffects.lmer.html",
    "reference/api/mixedeffects.LmmResult.html",
)

# Every piece of mathematics has been set.
MATHEMATICS_SET = (
    "document.querySelectorAll('span.math, div.math').length <= document.querySelectorAll('mjx-container').length"
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (SITE / "index.html").exists(), reason="the site is not built: make docs"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium"),
]


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_args):
        """Say nothing."""


def all_pages() -> list[str]:
    """Return the path of every page, and of no template that the theme keeps among its static files."""
    return sorted(str(path.relative_to(SITE)) for path in SITE.rglob("*.html") if "_static" not in path.parts)


@pytest.fixture(scope="module")
def address():
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=SITE))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="no playwright: it is in the environment of make docs-test")
    with api.sync_playwright() as play:
        found = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def open_page(browser, address):
    """Give ``open_page(path, size, scheme)``: a page that must load without error, and from here only."""
    contexts, faults = [], []

    def open_(path: str, size: dict = DESKTOP, scheme: str = "light"):
        context = browser.new_context(viewport=size, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: None if request.url.startswith(address) else faults.append(request.url))
        page.on("response", lambda answer: faults.append(answer.url) if answer.status >= 400 else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.goto(address + path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert faults == []


def test_search_finds_a_page_and_its_result_can_be_opened(open_page):
    page = open_page("index.html")
    page.locator(".search-button-field:visible").first.click()
    field = page.locator("input[type=search]:visible").first
    field.fill("kenward")
    field.press("Enter")
    results = page.locator("#search-results ul.search li a")
    results.first.wait_for()
    titles = results.all_inner_texts()
    assert any("Inference" in title for title in titles)
    assert page.locator("#search-results li", has_text="Inference").first.inner_text().lower().count("kenward") > 0
    results.first.click()
    page.wait_for_load_state()
    assert "search.html" not in page.url
    assert "kenward" in page.locator("main").inner_text().lower()


def test_search_finds_a_function_by_name(open_page):
    page = open_page("search.html?q=within_between")
    results = page.locator("#search-results ul.search li a")
    results.first.wait_for()
    assert "within_between" in " ".join(results.all_inner_texts())


def test_gallery_shows_all_pictures_and_leads_to_them(open_page):
    page = open_page("index.html")
    page.locator("header a.nav-link", has_text="Gallery").click()
    page.wait_for_load_state()
    pictures = page.locator("article img")
    assert pictures.count() >= 20
    for i in range(pictures.count()):
        picture = pictures.nth(i)
        picture.scroll_into_view_if_needed()
        assert picture.evaluate("img => img.decode().then(() => img.naturalWidth)") > 300
        assert picture.get_attribute("alt")
    page.locator(".bd-sidebar-secondary a", has_text="lineup").click()
    assert page.url.endswith("#lineup")
    assert page.locator("#lineup h2").bounding_box()["y"] < DESKTOP["height"]


# Relative luminance and contrast ratio of WCAG 2.1, 1.4.3; transparent backgrounds are those of an ancestor.
CONTRAST = """element => {
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  let behind = element, ground = [255, 255, 255];
  for (; behind; behind = behind.parentElement) {
    const colour = numbers(getComputedStyle(behind).backgroundColor);
    if (colour.length === 3 || colour[3] > 0.5) { ground = colour; break; }
  }
  const pair = [luminance(numbers(getComputedStyle(element).color)), luminance(ground)].sort((a, b) => b - a);
  return [luminance(ground), (pair[0] + 0.05) / (pair[1] + 0.05)];
}"""


def test_dark_mode_is_dark_readable_and_remembered(open_page):
    page = open_page("gallery.html")
    assert page.locator("html").get_attribute("data-theme") == "light"
    page.locator(".theme-switch-button:visible").click()
    page.locator(".theme-change-button[data-mode=dark]:visible").click()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    for part in ("article p", "article pre", "article code", "article h1", ".bd-sidebar-secondary a"):
        ground, contrast = page.locator(part).first.evaluate(CONTRAST)
        assert ground < 0.1, part
        assert contrast > 4.5, part
    picture = page.locator("article img").first.evaluate(
        "img => [getComputedStyle(img).backgroundColor, getComputedStyle(img).filter]"
    )
    assert picture == ["rgb(255, 255, 255)", "brightness(0.85)"]
    page.locator("header a.nav-link", has_text="Reference").click()
    page.wait_for_load_state()
    assert page.locator("html").get_attribute("data-theme") == "dark"


def test_mathematics_is_set(open_page):
    page = open_page("algorithm.html")
    page.locator("mjx-container").first.wait_for()
    page.wait_for_function(MATHEMATICS_SET)
    assert page.locator("mjx-container").count() > 100
    assert page.locator("[data-mjx-error]").count() == 0


def test_the_menu_of_a_phone_leads_on(open_page):
    page = open_page("index.html", PHONE)
    page.locator(".primary-toggle").click()
    page.locator("dialog a.nav-link:visible", has_text="Gallery").click()
    page.wait_for_load_state()
    assert page.url.endswith("gallery.html")


# What stands out of the window to the right, and is not within something that scrolls by itself. (The whole
# column scrolls where it must, so the width of the document does not tell.)
OUTSIDE = """() => [...document.querySelectorAll(".bd-article *")].filter(element => {
  const box = element.getBoundingClientRect();
  if (box.width === 0 || box.right <= window.innerWidth + 1) return false;
  for (let above = element.parentElement; above && !above.matches(".bd-article-container"); above = above.parentElement)
    if (["auto", "scroll"].includes(getComputedStyle(above).overflowX)) return false;
  return true;
}).map(element => element.outerHTML.slice(0, 60))"""


def test_no_page_is_wider_than_a_phone(open_page):
    page = open_page("index.html", PHONE)
    base = page.url.rsplit("/", 1)[0]
    wide = {}
    for path in all_pages():
        page.goto(f"{base}/{path}")
        page.wait_for_function(MATHEMATICS_SET)
        outside = page.evaluate(OUTSIDE)
        if outside:
            wide[path] = outside[:3]
    assert wide == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_pages_load_and_are_pictured(open_page, size, scheme):
    SHOTS.mkdir(parents=True, exist_ok=True)
    chapters = sorted(str(path.relative_to(SITE)) for path in (SITE / "chapter").glob("*.html"))
    page = open_page("index.html", size, scheme)
    base = page.url.rsplit("/", 1)[0]
    for path in (*PAGES, *chapters):
        page.goto(f"{base}/{path}")
        page.wait_for_function(MATHEMATICS_SET)
        assert page.locator("html").get_attribute("data-theme") == scheme
        name = f"{path.removesuffix('.html').replace('/', '-')}-{'phone' if size is PHONE else 'desktop'}-{scheme}.png"
        page.screenshot(path=SHOTS / name, full_page=True, animations="disabled")
        assert (SHOTS / name).stat().st_size > 10_000
