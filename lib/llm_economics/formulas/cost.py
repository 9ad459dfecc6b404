"""From hardware prices to prices per token: rent, own or call an API, and where they cross.

Plain numbers count what the names say: USD per hour, USD per million tokens. Quantities carry their
own units, so a price in USD/hour gives an answer in USD/token, whatever the scale. Tokens per second
are those of all accelerators together; ``utilisation`` is the share of paid hours in which they run
at that rate, above 0 and at most 1.

Every function stops with a one-line ``ParameterError`` where a price is negative or an input out of range.
"""

from __future__ import annotations

from typing import Any

from llm_economics.formulas.elementwise import check_range, where
from llm_economics.formulas.records import record

SECONDS_PER_HOUR = 3600.0
HOURS_PER_YEAR = 8766.0
HOURS_PER_MONTH = HOURS_PER_YEAR / 12
MILLION = 1e6


def usd_per_token(usd_per_second, tokens_per_second, utilisation=1.0):
    """Cost of a token: what a second costs ÷ the tokens made in it, USD/token."""
    check_range("usd_per_second", usd_per_second, 0)
    check_range("tokens_per_second", tokens_per_second, 0, open_low=True)
    check_range("utilisation", utilisation, 0, 1, open_low=True)
    return usd_per_second / (tokens_per_second * utilisation)


def usd_per_million_tokens(price_per_accelerator_hour, accelerators, tokens_per_second, utilisation=1.0):
    """Cost of a million tokens on ``accelerators`` at a price per hour each, USD.

    USD per hour ÷ 3,600 ÷ tokens per second × 10⁶: the 3,600 is what a formula "tokens ÷ throughput ×
    price" leaves to the reader.
    """
    usd_per_second = _fleet_per_second(price_per_accelerator_hour, accelerators)
    return _scaled(MILLION, usd_per_token(usd_per_second, tokens_per_second, utilisation))


def throughput_for(usd_per_million, price_per_accelerator_hour, accelerators, utilisation=1.0):
    """Tokens per second that bring a million tokens down to ``usd_per_million``."""
    check_range("utilisation", utilisation, 0, 1, open_low=True)
    usd_per_second = _fleet_per_second(price_per_accelerator_hour, accelerators)
    return usd_per_second / (_per_token(usd_per_million) * utilisation)


def utilisation_for(usd_per_million, price_per_accelerator_hour, accelerators, tokens_per_second):
    """Share of paid hours that must be busy to reach ``usd_per_million``; above one it is out of reach.

    With an API's price as ``usd_per_million`` it is the break-even utilisation of self-hosting.
    """
    usd_per_second = _fleet_per_second(price_per_accelerator_hour, accelerators)
    return usd_per_token(usd_per_second, tokens_per_second) / _per_token(usd_per_million)


def price_for(usd_per_million, accelerators, tokens_per_second, utilisation=1.0):
    """Price of one accelerator-hour at which a million tokens cost ``usd_per_million``, USD."""
    check_range("accelerators", accelerators, 0, open_low=True)
    check_range("tokens_per_second", tokens_per_second, 0, open_low=True)
    check_range("utilisation", utilisation, 0, 1, open_low=True)
    per_second = _per_token(usd_per_million) * tokens_per_second * utilisation / accelerators
    return _scaled(SECONDS_PER_HOUR, per_second)


def request_usd(input_tokens, output_tokens, input_usd_per_million, output_usd_per_million):
    """Price of a request whose input and output are charged apart, USD."""
    check_range("input_tokens", input_tokens, 0)
    check_range("output_tokens", output_tokens, 0)
    check_range("input_usd_per_million", input_usd_per_million, 0)
    check_range("output_usd_per_million", output_usd_per_million, 0)
    return _scaled(1 / MILLION, input_tokens * input_usd_per_million + output_tokens * output_usd_per_million)


def blended_price(input_price, output_price, input_share):
    """Price per token of a mix in which ``input_share`` of all tokens are input, in the unit of the prices."""
    check_range("input_price", input_price, 0)
    check_range("output_price", output_price, 0)
    check_range("input_share", input_share, 0, 1)
    return input_share * input_price + (1 - input_share) * output_price


def rent_breakeven_tokens(
    price_per_accelerator_hour, accelerators, api_usd_per_million, hours_per_month=HOURS_PER_MONTH
):
    """Tokens per month above which accelerators paid for all month cost less than an API.

    It asks nothing of the accelerators: whether they can make that many is :func:`utilisation_for`.
    """
    check_range("hours_per_month", hours_per_month, 0, open_low=True)
    check_range("price_per_accelerator_hour", price_per_accelerator_hour, 0)
    check_range("accelerators", accelerators, 0, open_low=True)
    return price_per_accelerator_hour * accelerators * hours_per_month / _per_token(api_usd_per_million)


@record
class Ownership:
    """What a machine that one owns costs in an hour, used or not, USD per hour."""

    capital: Any
    power: Any
    hosting: Any

    @property
    def total(self):
        """All three together."""
        return self.capital + self.power + self.hosting


def ownership(
    purchase_usd,
    life_years,
    *,
    residual_share=0.0,
    cost_of_capital=0.0,
    power_kw=0.0,
    load=1.0,
    pue=1.0,
    usd_per_kwh=0.0,
    hosting_usd_per_hour=0.0,
) -> Ownership:
    """Purchase amortised over its life, power and hosting (plain numbers), USD per hour.

    Parameters
    ----------
    purchase_usd, life_years, residual_share
        Price with its share of servers and network, years of use, share of the price that it then fetches.
    cost_of_capital
        Interest per year as a fraction: the capital becomes an annuity; 0 is a straight line.
    power_kw, load, pue, usd_per_kwh
        Power at full load, average share of it, total power of the building ÷ power of the machine, tariff.
    hosting_usd_per_hour
        Space, staff, network.
    """
    check_range("purchase_usd", purchase_usd, 0)
    check_range("life_years", life_years, 0, open_low=True)
    check_range("residual_share", residual_share, 0, 1)
    check_range("cost_of_capital", cost_of_capital, 0)
    check_range("power_kw", power_kw, 0)
    check_range("load", load, 0, 1)
    check_range("pue", pue, 1)
    check_range("usd_per_kwh", usd_per_kwh, 0)
    check_range("hosting_usd_per_hour", hosting_usd_per_hour, 0)
    growth = (1 + cost_of_capital) ** life_years
    tiny = cost_of_capital < 1e-9
    annuity = where(tiny, 1 / life_years, cost_of_capital / where(tiny, 1.0, 1 - 1 / growth))
    lost = purchase_usd * (1 - residual_share)  # repaid with interest; the rest only bears interest
    capital = (lost * annuity + purchase_usd * residual_share * cost_of_capital) / HOURS_PER_YEAR
    return Ownership(capital, power_kw * load * pue * usd_per_kwh, hosting_usd_per_hour)


def ownership_usd_per_hour(purchase_usd, life_years, **terms):
    """Total of :func:`ownership`; use it as a price per hour wherever one is asked for."""
    return ownership(purchase_usd, life_years, **terms).total


def own_breakeven_hours(purchase_usd, running_usd_per_hour, rent_usd_per_hour, residual_share=0.0):
    """Hours of use after which buying has cost less than renting (plain numbers); infinite where running costs more."""
    check_range("purchase_usd", purchase_usd, 0)
    check_range("running_usd_per_hour", running_usd_per_hour, 0)
    check_range("rent_usd_per_hour", rent_usd_per_hour, 0)
    check_range("residual_share", residual_share, 0, 1)
    saved = rent_usd_per_hour - running_usd_per_hour
    return where(saved > 0, purchase_usd * (1 - residual_share) / where(saved > 0, saved, 1.0), float("inf"))


def _scaled(scale, value):
    """A plain number in the scale that the caller's name promises; a quantity needs none."""
    return value if hasattr(value, "units") else scale * value


def _fleet_per_second(price_per_accelerator_hour, accelerators):
    check_range("price_per_accelerator_hour", price_per_accelerator_hour, 0)
    check_range("accelerators", accelerators, 0, open_low=True)
    return _scaled(1 / SECONDS_PER_HOUR, price_per_accelerator_hour * accelerators)


def _per_token(usd_per_million):
    return _scaled(1 / MILLION, check_range("usd_per_million", usd_per_million, 0, open_low=True))
