"""The calculator's page as a reader has it: one browser, one page, without the rest of the site."""

import base64
import json
import random
import runpy
import shlex
import string
import zlib
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import chromium, serving
from click.testing import CliRunner
from test_browser import configs, on_the_command_line, other

from llm_economics import facts
from llm_economics.cli import main
from llm_economics.formulas import questions, training_run
from llm_economics.site import answering

calculator_speed = SimpleNamespace(**runpy.run_path(str(facts.ROOT / "benchmarks" / "calculator_speed.py")))
ASKED = "calculator.html?tab=service&model=Llama+3.3+70B&system=HGX+H200&concurrency=16&prompt=8192&output=1024"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The page without the rest of the site, and a browser."""
    folder = tmp_path_factory.mktemp("calculator")
    calculator_speed.page_alone(folder)
    with serving(folder) as address, chromium() as browser:
        yield browser, f"{address}/", folder


@pytest.fixture
def page(site):
    browser, url, _ = site
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    tab = context.new_page()
    tab.goto(url + ASKED)
    tab.wait_for_function("document.querySelector('#calculator').dataset.done")
    yield tab
    context.close()


def fill(page, **values) -> str:
    """Enter values, wait for what the page says to them, and return the line of its error."""
    page.evaluate(
        """(values) => { const form = [...document.forms].find((f) => f.offsetParent);
        document.querySelector(".calc-error").textContent = "waiting";
        for (const name of Object.keys(values)) { form.elements[name].value = values[name]; }
        form.elements[Object.keys(values)[0]].dispatchEvent(new Event("change", { bubbles: true })); }""",
        values,
    )
    page.wait_for_function("document.querySelector('.calc-error').textContent !== 'waiting'")
    return page.inner_text(".calc-error") if page.is_visible(".calc-error") else ""


def said(page) -> str:
    return page.inner_text(".calc-said")


def test_the_page_answers_ranks_refuses_and_hands_over(page):
    expected = on_the_command_line(
        other(options={"concurrency": {"real": 16}, "prompt": {"real": 8192}, "output": {"real": 1024}})
    )
    assert said(page) == expected["said"]

    good = said(page)
    refused = on_the_command_line(other(options={"concurrency": {"real": 0}}))["error"]
    assert (fill(page, concurrency="0"), said(page)) == (refused, good)
    assert fill(page, concurrency="1e400").startswith("concurrency = inf is not allowed")
    assert fill(page, concurrency="<b>").startswith("concurrency = '<b>' is not allowed")
    assert (fill(page, concurrency="16"), said(page)) == ("", good)

    hostile = '{"model_type": "<img src=x onerror=window.hit=1>", "hidden_size": 64}'
    for text in ("", '{"a":', "[" * 200_000, '{"x":"' + "y" * 5_000_000 + '"}', hostile):
        line = fill(page, model="config.json", config=text)
        assert line and "\n" not in line and len(line) < 500
        assert said(page) == good
    assert page.evaluate("[window.hit, document.querySelectorAll('.calc img').length]") == [None, 0]
    llama = json.dumps({"model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "vocab_size": 128256})
    assert fill(page, model="config.json", config=llama) == ""
    assert said(page).startswith("config ")

    assert fill(page, config="", model="Llama 3.3 70B", system="all") == ""
    assert page.locator(".calc-ranking tbody tr").count() == len(facts.systems())
    assert printed(page)["rows"][0]["system"].split(",")[0] in said(page)
    assert fill(page, system="GB200 NVL72", beside="MI355X x 8") == ""
    assert page.locator(".calc-ranking tbody th").all_inner_texts() == [
        row["system"].split(",")[0] for row in printed(page)["rows"]
    ]


def test_a_training_run_is_solved_for_whatever_is_left_out(page):
    page.click("#calc-tab-run")
    page.wait_for_function("document.querySelector('.calc-said').textContent.includes('days')")
    for given in (
        {"accelerators": "", "days": "30", "tokens": "15T", "usd": ""},
        {"accelerators": "1e4", "days": "", "tokens": "200B", "usd": ""},
        {"accelerators": "2048", "days": "30", "tokens": "", "usd": ""},
        {"accelerators": "", "days": "30", "tokens": "", "usd": "5e6"},
    ):
        assert fill(page, **given) == ""
        assert said(page) == training_run.said(printed(page))
    assert fill(page, days="3", accelerators="16384", tokens="15T", usd="").startswith("days = 3 is not allowed: 11.2")


def printed(page) -> dict:
    """What the command line that the page shows prints as JSON."""
    line = shlex.split(page.text_content(".calc-command pre"))
    return json.loads(CliRunner().invoke(main, [*line[1:], "--json"]).stdout)


def done(page, tool: str) -> str:
    page.click(f"[data-do={tool}]")
    page.wait_for_function("(t) => document.querySelector(`[data-do=${t}]`).textContent === 'Done'", arg=tool)
    return page.evaluate("navigator.clipboard.readText()")


EVERYTHING = {
    "weights": "fp4", "arithmetic": "bf16", "kv": "fp8", "accelerators": "4", "tensor": "2", "cached_share": "0.5",
    "concurrency": "37", "prompt": "4k", "output": "512", "usd_per_hour": "2.75", "hours_in_use": "9", "drafted": "2",
    "acceptance": "0.8", "model": "gpt-oss-120b", "system": "HGX B200", "expert": "4",
}  # fmt: skip


def test_the_address_holds_every_input_and_the_tools_do_what_they_say(page):
    inputs = page.evaluate("[...document.forms[0].elements].map((field) => field.name).filter(Boolean)")
    assert {*EVERYTHING, "beside", "tokens_per_s", "config", "quant"} == set(inputs)
    assert fill(page, **EVERYTHING) == ""
    page.wait_for_selector(".calc-picture svg")
    address, answer = page.url, said(page)
    kept = {name: value for name, (value,) in parse_qs(urlsplit(address).query).items()}
    assert kept == EVERYTHING | {"tab": "service"}
    assert address in done(page, "link")
    assert address in done(page, "cite")
    assert done(page, "command") == page.text_content(".calc-command pre")
    found = printed(page)
    assert questions.said(found) == answer
    assert found["usd_per_hour"] == pytest.approx(2.75 * 24 / 9)
    got = {}
    for tool in ("csv", "png"):
        with page.expect_download() as download:
            page.click(f"[data-do={tool}]")
        got[tool] = Path(download.value.path()).read_bytes()
    lines = got["csv"].decode().splitlines()
    assert lines[0] == "number,value,unit,formula,numbers"
    values = {line.split(",")[0]: line.split(",")[1] for line in lines[1:]}
    assert float(values["tokens/s of a user"]) == found["tokens_per_s_per_user"]
    assert got["png"].startswith(b"\x89PNG")
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_function("document.querySelector('#calculator').dataset.done")
    assert (page.url, said(page)) == (address, answer)
    assert page.is_visible("input[name=tensor]")


def test_a_pasted_file_travels_in_the_address_or_the_page_says_that_it_does_not(site, page):
    large = max(configs(1), key=len)
    assert len(large) > 4000
    assert fill(page, model="config.json", config=large) == ""
    page.wait_for_function("location.hash")
    address, answer = page.url, said(page)
    assert len(address) < 16_500
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_function("document.querySelector('#calculator').dataset.done")
    assert said(page) == answer
    assert page.input_value("textarea[name=config]") == large
    with page.expect_download() as download:
        page.click("[data-do=save]")
    assert (download.value.suggested_filename, Path(download.value.path()).read_text()) == ("config.json", large)

    llama = {"model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "vocab_size": 128256}
    noise = json.dumps(llama | {"x": "".join(random.Random(1).choices(string.ascii_letters, k=25_000))})
    assert fill(page, config=noise) == ""
    page.wait_for_function("document.querySelector('.calc-note').textContent")
    assert page.inner_text(".calc-note").startswith("A link cannot carry this pasted file: packed it has ")
    assert "#" not in page.url


BOMB = zlib.compressobj(wbits=-15)
HOSTILE = [
    base64.urlsafe_b64encode(BOMB.compress(b'{"config":"' + b"x" * 9_000_000) + BOMB.flush()).decode().rstrip("="),
    "x" * 20_000,
    "<img src=x onerror=window.hit=1>",
    "AAAA",
]


def test_axe_has_no_complaint(page):
    page.wait_for_selector(".calc-picture svg")
    page.click("details.more summary")
    page.click(".calc-command summary")
    without_theme = {"color-contrast": {"enabled": False}}  # the pages of the whole site are asked for it
    found = Axe().run(page, context="#calculator", options={"resultTypes": ["violations"], "rules": without_theme})
    assert [rule["id"] for rule in found.response["violations"]] == []


def test_nothing_in_an_address_is_trusted(site, page):
    for code in HOSTILE:
        page.goto("about:blank")
        page.goto(f"{site[1]}calculator.html?model=config.json&foo=1&<img>=2#pasted={code}")
        page.wait_for_function("document.querySelector('.calc-note').textContent")
        line = page.inner_text(".calc-note")
        assert line.startswith(
            "Not known to this page and left aside: foo, <img>. The pasted file of this address cannot"
        )
        assert page.input_value("textarea[name=config]") == ""
        page.wait_for_function("document.querySelector('.calc-error').textContent")
    assert page.evaluate("[window.hit, document.querySelectorAll('.calc img').length]") == [None, 0]


def test_a_question_without_end_is_given_up_and_the_next_is_answered(page):
    good = said(page)
    page.evaluate("window.asks = Worker.prototype.postMessage; Worker.prototype.postMessage = () => {}; null")
    page.evaluate("document.querySelector('#calculator').dataset.patience = '0.1'")
    assert fill(page, concurrency="17") == "The calculator could not answer within 0.1 seconds."
    assert said(page) == good
    page.evaluate("Worker.prototype.postMessage = window.asks; null")
    page.evaluate("document.querySelector('#calculator').dataset.patience = '20'")
    assert fill(page, concurrency="16") == ""
    assert said(page) == good


def test_the_keyboard_reaches_everything_and_a_change_of_width_redraws(page):
    page.wait_for_selector(".calc-picture svg")
    page.focus("#calc-tab-service")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "calc-tab-run"
    page.keyboard.press("Home")
    page.wait_for_selector(".calc-picture svg")
    for _ in range(5):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "concurrency"
    page.keyboard.type("64")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.calc-picture figcaption').textContent.includes('64 users')")
    page.set_viewport_size({"width": 390, "height": 800})
    page.wait_for_function("document.querySelector('.calc-picture svg').viewBox.baseVal.width < 400")


def test_the_links_of_chapters_are_answered(site, page):
    links = {path.stem: answering.own_price(path) for path in sorted((facts.ROOT / "chapters").glob("*.ipynb"))}
    assert sum(link is not None for link in links.values()) > 10
    for name, link in links.items():
        if link is None:
            continue
        page.goto("about:blank")
        page.goto(site[1] + link)
        page.wait_for_function(
            "document.querySelector('.calc-error').textContent || document.querySelector('#calculator').dataset.done"
        )
        assert page.text_content(".calc-error") + page.text_content(".calc-note") == "", name
        asked = parse_qs(urlsplit(link).query, keep_blank_values=True)
        shown = parse_qs(urlsplit(page.url).query, keep_blank_values=True)
        assert {name: shown.get(name, [""]) for name in asked} == asked


def test_a_name_in_the_address_that_is_not_known_gets_the_librarys_line(site, page):
    for changed in ({"model": "Lama-3.3-70B"}, {"systems": ["H20O"]}, {"options": {"weights": "fp5"}}):
        asked = other(**changed)
        weights = asked["options"].get("weights", "")
        page.goto("about:blank")
        page.goto(f"{site[1]}calculator.html?model={asked['model']}&system={asked['systems'][0]}&weights={weights}")
        page.wait_for_function("document.querySelector('.calc-error').textContent")
        assert page.inner_text(".calc-error") == on_the_command_line(asked)["error"]


def test_without_scripts_or_as_a_file_the_page_says_so(site):
    browser, url, folder = site
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(url + "calculator.html")
    assert "Scripts are off" in tab.inner_text("noscript")
    context.close()
    tab = browser.new_page()
    tab.goto((folder / "calculator.html").as_uri())
    tab.click("form:visible button.first")
    assert tab.inner_text(".calc-error").startswith("Opened as a file")
    assert "llm-economics service" in tab.text_content(".calc-command pre")
    tab.close()
