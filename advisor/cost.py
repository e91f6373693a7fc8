"""What a run costs: its hours times the hourly price of the machine. Knows no speeds and no memory."""

from __future__ import annotations

from ftc.advisor.values import Machine, TimeEstimate
from ftc.spec.estimate import Estimate


def cost(time: TimeEstimate, machine: Machine, *, spot: bool = False) -> Estimate:
    """USD of the run. Owned hardware costs its `usd_per_hour`, nothing unless that is given.

    Spot machines are taken away: the high end carries a tenth more time for what is done twice.
    """
    offer = machine.offer
    if offer is None:
        owned = "hardware you have" if not machine.usd_per_hour else "your own price an hour"
        return time.hours.scaled(machine.usd_per_hour, unit="USD", source=owned)
    hourly = machine.usd_per_hour
    if spot and offer.spot_usd_per_hour is not None:
        hourly = offer.spot_usd_per_hour * max(1.0, machine.devices / offer.count)
    again = 1.1 if spot else 1.0
    return Estimate(
        low=time.hours.low * hourly,
        likely=time.hours.likely * hourly,
        high=time.hours.high * hourly * again,
        unit="USD",
        source=f"{offer.cloud} {offer.instance}, {offer.source}",
        as_of=offer.as_of,
    )
