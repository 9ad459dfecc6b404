"""The calculator's page as a reader has it: one browser, one page, without the rest of the site."""

import json
import shlex
import shutil
from pathlib import Path

import pytest
from browsing import chromium, serving
from click.testing import CliRunner
from test_browser import on_the_command_line, other

from llm_economics.cli.service import service
from llm_economics.formulas import questions
from llm_economics.site import answering

STATIC = Path(answering.__file__).parent / "static"
ASKED = "calculator.html?tab=service&model=Llama+3.3+70B&system=HGX+H200&concurrency=16&prompt=8192&output=1024"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with the form, its script and what it loads; and a browser."""
    folder = tmp_path_factory.mktemp("calculator")
    answering.write(folder)
    shutil.copy(STATIC / "calculator.js", folder / "_static" / "calculator.js")
    script = '<script src="_static/calculator.js"></script>'
    head = "<!doctype html><meta charset=utf-8><title>calculator</title><link rel=icon href=data:,>"
    (folder / "calculator.html").write_text(head + answering.form() + script, encoding="utf-8")
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

    assert fill(page, config="", model="Llama 3 70B (=3.1 70B)", system="all") == ""
    assert page.locator(".calc-ranking tbody tr").count() == len(answering.facts.systems())
    page.click("#calc-tab-run")
    assert fill(page, days="30", cards="") == ""
    assert said(page).endswith("30 days, $28,044,872.")


def test_the_address_holds_every_input_and_the_tools_do_what_they_say(page):
    fill(page, cached_share="0.5", weights="fp4", accelerators="4")
    address, answer = page.url, said(page)
    for tool in ("link", "command", "cite"):
        page.click(f"[data-do={tool}]")
        page.wait_for_function("(t) => document.querySelector(`[data-do=${t}]`).textContent === 'Done'", arg=tool)
        copied = page.evaluate("navigator.clipboard.readText()")
        if tool == "command":
            printed = CliRunner().invoke(service, [*shlex.split(copied)[2:], "--json"]).stdout
            assert questions.said(json.loads(printed)) == answer
        else:
            assert address in copied
    page.wait_for_selector(".calc-picture svg")
    got = {}
    for tool in ("csv", "png"):
        with page.expect_download() as download:
            page.click(f"[data-do={tool}]")
        got[tool] = Path(download.value.path()).read_bytes()
    assert got["csv"].startswith(b"number,value,unit,formula,numbers\n") and got["csv"].count(b"\n") > 6
    assert got["png"].startswith(b"\x89PNG")
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_function("document.querySelector('#calculator').dataset.done")
    assert (page.url, said(page)) == (address, answer)


@pytest.mark.parametrize("changed", [{"model": "Lama-3.3-70B"}, {"systems": ["H20O"]}])
def test_a_name_in_the_address_that_is_not_known_gets_the_librarys_line(site, page, changed):
    asked = other(**changed)
    page.goto(f"{site[1]}calculator.html?model={asked['model']}&system={asked['systems'][0]}&concurrency=16")
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
