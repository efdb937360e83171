"""The page in a real browser, on a phone and on a desk, in light and in dark."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pennyweight.report.lottery import lottery_section
from pennyweight.report.page import render
from pennyweight.report.pieces import text_section
from pennyweight.report.race import race_section
from pennyweight.report.run import run_section
from pennyweight.report.search import search_section
from pennyweight.report.trace import trace_section
from pennyweight.report.weigh import weigh_section
from tests.report.made import a_race, a_run
from tests.report.test_weigh import TABLES

webdriver = pytest.importorskip("selenium.webdriver")
waiting = pytest.importorskip("selenium.webdriver.support.wait")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver on the PATH")

RECEIPTS = Path(__file__).parents[2] / "docs" / "receipts"
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
VIEWS = [(width, height, scheme) for width, height in ((390, 844), (1280, 900)) for scheme in ("light", "dark")]

# Contrast as WCAG 2.2 defines it, of every element that holds text itself, against the nearest painted background.
CONTRAST = """
const rgba = text => text.match(/[\\d.]+/g).map(Number);
const light = colour => colour.slice(0, 3).map(part => {
  part /= 255;
  return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
}).reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
const behind = element => {
  for (; element; element = element.parentElement) {
    const colour = rgba(getComputedStyle(element).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
};
const worst = {ratio: 21, text: ''};
for (const element of document.querySelectorAll('body *')) {
  const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
  if (!own || !element.getClientRects().length) continue;
  const style = getComputedStyle(element);
  const inDrawing = element instanceof SVGElement;
  const pair = [light(rgba(inDrawing ? style.fill : style.color)), light(behind(element))].sort((a, b) => b - a);
  const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
  if (ratio < worst.ratio) Object.assign(worst, {ratio, text: element.textContent.slice(0, 40)});
}
return worst;
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    a_race(folder / "race-par-20260101T000000Z-ab12")
    sections = [
        race_section(folder / "race-par-20260101T000000Z-ab12"),
        run_section(a_run(folder / "par-tiny-20260101T000000Z-c3d4")),
        run_section(a_run(folder / "half", finished=False)),
        text_section("What it wrote", "Seed 0.", "a_long_word_without_a_break" * 20),
    ]
    for kind, name in (("trace", "examination.json"), ("lottery", "lottery.json")):
        (folder / kind).mkdir()
        shutil.copy(RECEIPTS / kind / name, folder / kind)
    shutil.copytree(RECEIPTS / "search" / "whole", folder / "search-par-tiny-20260101T000000Z-e5f6")
    sections += [trace_section(folder / "trace"), lottery_section(folder / "lottery"), weigh_section(TABLES[:2])]
    sections.append(search_section(folder / "search-par-tiny-20260101T000000Z-e5f6"))
    text = render("All of a page", sections, lead="A lead.", facts={"stack": "cpu/torch/bf16/2t"})
    (folder / "page.html").write_text(text, encoding="utf-8")
    return (folder / "page.html").as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(params=VIEWS, ids=[f"{width}-{scheme}" for width, _, scheme in VIEWS])
def shown(request: pytest.FixtureRequest, browser: Any, address: str) -> Any:
    """The browser with the page loaded afresh, in one size and one scheme of colours."""
    width, height, scheme = request.param
    device = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", device)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get("about:blank")
    browser.get(address)
    # On a busy machine `get` has come back before the page was whole.
    waiting.WebDriverWait(browser, 60).until(
        lambda page: page.execute_script("return location.href + document.readyState") == f"{address}complete"
    )
    return browser


def test_the_document_does_not_overflow_sideways_even_unfolded(shown: Any) -> None:
    widths = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    inner, outer = shown.execute_script(widths)
    assert inner <= outer
    shown.execute_script("document.querySelectorAll('details').forEach(one => one.open = true)")
    inner, outer = shown.execute_script(widths)
    assert inner <= outer


def test_all_text_stands_out_from_its_ground(shown: Any) -> None:
    shown.execute_script("document.querySelectorAll('details').forEach(one => one.open = true)")
    worst = shown.execute_script(CONTRAST)
    assert worst["ratio"] >= 4.5, worst


def test_the_scheme_of_colours_is_followed(shown: Any, request: pytest.FixtureRequest) -> None:
    ground = shown.execute_script("return getComputedStyle(document.body).backgroundColor")
    first = int(ground.removeprefix("rgb(").partition(",")[0])
    assert (first < 128) == request.node.callspec.id.endswith("dark")


def test_nothing_is_complained_about_and_nothing_is_fetched(shown: Any, address: str) -> None:
    assert shown.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in shown.get_log("performance")]
    asked = {m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"}
    assert asked <= {address, "about:blank", "data:,"}


def test_one_drawing_of_each_figure_is_seen_and_its_letters_are_large_enough(shown: Any) -> None:
    sizes = shown.execute_script("""
        return [...document.querySelectorAll('figure')].filter(figure => figure.querySelector('svg')).map(figure => {
          const seen = [...figure.querySelectorAll('svg')].filter(svg => svg.getClientRects().length);
          const scale = seen[0].getBoundingClientRect().width / seen[0].viewBox.baseVal.width;
          return [seen.length, scale * Math.min(...[...seen[0].querySelectorAll('text')].map(
            text => parseFloat(getComputedStyle(text).fontSize)))];
        });
    """)
    assert len(sizes) == 11
    for count, pixels in sizes:
        assert count == 1
        assert pixels >= 9.5


def test_letters_of_drawings_stay_inside_of_the_page(shown: Any) -> None:
    outside = shown.execute_script("""
        return [...document.querySelectorAll('svg text')].filter(text => {
          const box = text.getBoundingClientRect();
          return box.width && (box.left < 0 || box.right > document.documentElement.clientWidth);
        }).map(text => text.textContent);
    """)
    assert outside == []


def test_all_links_lead_to_an_element_of_the_page(shown: Any) -> None:
    lost = shown.execute_script("""
        return [...document.querySelectorAll('a[href]')].map(link => link.getAttribute('href')).filter(
          href => !href.startsWith('#') || !document.getElementById(decodeURIComponent(href.slice(1))));
    """)
    assert lost == []


def test_a_receipt_opens_on_a_click_and_so_does_a_number_that_leads_to_it(shown: Any) -> None:
    state = "return arguments[0].closest('details').open && arguments[0].checkVisibility()"
    slip = shown.find_element("css selector", ".record .slip")
    assert not shown.execute_script(state, slip)
    shown.find_element("css selector", ".record > summary").click()
    assert shown.execute_script(state, slip)
    link = shown.find_element("css selector", "td a[href*='#receipt-par-tiny-20260101T000001Z-r1aa']")
    target = shown.find_element("id", link.get_attribute("href").partition("#")[2])
    assert not shown.execute_script(state, target)
    shown.execute_script("arguments[0].click()", link)
    assert shown.execute_script(state, target)
