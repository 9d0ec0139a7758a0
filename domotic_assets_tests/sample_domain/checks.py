"""The sample domain's check: batteries that are nearly empty."""

import polars as pl

from domotic_assets.quality.check import Check
from domotic_assets.quality.round import Round
from domotic_assets.quality.verdict import Breach, Verdict
from domotic_assets_tests.sample_domain.schema import FACT_BATTERY_MINUTE

LOW_PCT = 100
"""So high that the simulated batteries are below it."""


def low_batteries(judged: Round) -> Verdict:
    """Devices whose battery was below LOW_PCT."""
    rows = judged.work.lake.read(FACT_BATTERY_MINUTE, where=pl.col("battery_pct") < LOW_PCT)
    return Verdict([Breach(str(key), "low", "WARN") for key in rows["device_key"].unique().sort()])


CHECKS = (Check("low", FACT_BATTERY_MINUTE, "WARN", f"A battery is below {LOW_PCT} %.", low_batteries),)
