"""`ftc gpus`: the accelerators that ftc knows, and what they cost."""

from __future__ import annotations

from typing import Any

import click

from ftc.commands.options import json_option

WORDS = ("gpu", "cloud", "instance", "region")  # columns of text; the others are figures


@click.command("gpus")
@click.argument("contains", required=False, default="")
@click.option("--offers", is_flag=True, help="Every offer of the price list instead of the cheapest of each GPU.")
@json_option
def gpus_command(contains: str, *, offers: bool, as_json: bool) -> None:
    """List GPUs whose name contains CONTAINS, with the cheapest offer of each and the age of the price list.

    \b
    Examples:
      ftc gpus
      ftc gpus h100 --offers
    """
    from dataclasses import asdict

    from ftc.advisor.gpus import gpus
    from ftc.advisor.prices import offers as price_list
    from ftc.advisor.prices import prices_as_of

    wanted = contains.lower().replace("-", " ").split()
    devices = [each for each in gpus() if all(word in each.name.lower() for word in wanted)]
    names = {each.name for each in devices}
    listed = [each for each in price_list() if each.gpu in names]
    if as_json:
        from ftc.views.output import write_json

        write_json(
            {
                "gpus": [asdict(each) for each in devices],
                "offers": [asdict(each) for each in listed],
                "prices_as_of": prices_as_of(),
            }
        )
        return
    from ftc.views.output import console, print_table

    head, *rows = _offer_rows(listed) if offers else _gpu_rows(devices, listed)
    print_table(rows, titles=head, right=[each for each in head if each not in WORDS])
    console().print(f"\nprices as of {prices_as_of()}; `--offers` lists all with their cloud and region", style="dim")


def _gpu_rows(devices: list[Any], offers: list[Any]) -> list[list[str]]:
    rows = [["gpu", "GiB", "bf16 TFLOP/s", "GB/s", "USD/GPU/h", "spot", "cloud"]]
    for each in devices:
        mine = [offer for offer in offers if offer.gpu == each.name]
        best = min(mine, key=lambda offer: offer.usd_per_hour / offer.count, default=None)
        spots = [offer.spot_usd_per_hour / offer.count for offer in mine if offer.spot_usd_per_hour]
        rows.append(
            [
                each.name,
                f"{each.memory_gib:.1f}",
                f"{each.bf16_tflops:g}" if each.bf16_tflops else "none",
                f"{each.bandwidth_gb_s:,.0f}",
                f"{best.usd_per_hour / best.count:.2f}" if best else "",
                f"{min(spots):.2f}" if spots else "",
                best.cloud if best else "",
            ]
        )
    return rows


def _offer_rows(offers: list[Any]) -> list[list[str]]:
    head = ["gpu", "count", "cloud", "instance", "region", "USD/h", "spot USD/h"]
    return [
        head,
        *(
            [
                each.gpu,
                f"{each.count}",
                each.cloud,
                each.instance,
                each.region,
                f"{each.usd_per_hour:.2f}",
                f"{each.spot_usd_per_hour:.2f}" if each.spot_usd_per_hour else "",
            ]
            for each in offers
        ),
    ]
