"""Findings: two numbers that should be one, ranked by how far apart they are."""

import re

import pytest

from llm_economics.book.findings import Finding, picture, ranked
from llm_economics.formulas.elementwise import ParameterError


def finding(said, found, claim="gpt4-013"):
    return Finding(claim, "So it is.", ("said", said), ("found", found), "x & y")


def test_the_furthest_apart_comes_first_whichever_is_larger():
    html = ranked([finding(1, 2), finding(500, 1, "serve-057"), finding(1, 30, "cost-007")]).data
    assert re.findall(r">([\d.]+)×<", html) == ["500", "30", "2"]
    assert re.findall(r'href="([^"]+)"', html)[0] == "gpt4-serving-bill.html#serve-057"


def test_a_picture_says_what_it_shows_and_puts_the_smaller_number_left():
    svg = picture(finding(4e6, 8000))
    assert 'aria-label="said 4000000, found 8000' in svg.replace(",", "", 0) or "found 8,000 x &amp; y" in svg
    ends = {kind: float(x) for kind, x in re.findall(r'class="finding-(said|found)" cx="(\d+)"', svg)}
    assert ends["found"] < ends["said"]


def test_numbers_that_have_no_ratio_are_refused():
    with pytest.raises(ParameterError, match="both must be above 0"):
        finding(0, 3).apart  # noqa: B018
