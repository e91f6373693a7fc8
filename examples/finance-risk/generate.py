"""Make reports.jsonl: short texts of a bank's risk desk, each with the record that the risk system takes.

Run `python generate.py` in this folder; the same seed writes the same file. The record is JSON with three fields of fixed
words and one number; the texts say the same in other words and in changing order, sometimes with a remark that must not
end up in the record.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

REPORTS = 600
SEED = 31

FIRMS = ["Aldan Foods", "Brightwater Shipping", "Corvin Steel", "Delmar Textiles", "Estrel Energy", "Fenwick Motors",
         "Galliard Hotels", "Hartmann Optics", "Ivory Coast Cocoa", "Juniper Homes", "Kestrel Air", "Lindqvist Paper"]  # fmt: skip
# what is said -> event, sector-neutral; the severity and the action follow the desk's own table
EVENTS = {
    "missed_payment": ["missed the interest payment due on {day}", "did not pay the coupon on {day}",
                       "is {n} days past due on its loan"],
    "covenant_breach": ["broke the leverage covenant for the quarter", "reports debt of {n} times earnings, above the covenant",
                        "asked for a waiver of its interest cover test"],
    "downgrade": ["was cut by {n} notches by a rating agency", "lost its investment grade on {day}",
                  "went to negative outlook and then down a notch"],
    "fraud_suspicion": ["shows invoices that two customers do not know", "has an auditor who resigned on {day}",
                        "booked revenue to firms at one address"],
    "management_change": ["replaced its finance chief on {day}", "lost two members of the board in {n} weeks",
                          "has a new chief executive since {day}"],
    "supply_shock": ["stopped two plants for want of parts", "lost its main supplier on {day}",
                     "says that freight costs rose {n} fold"],
}  # fmt: skip
SEVERITY = {"missed_payment": "high", "covenant_breach": "high", "downgrade": "medium", "fraud_suspicion": "critical",
            "management_change": "low", "supply_shock": "medium"}  # fmt: skip
ACTION = {"critical": "freeze_line", "high": "review_now", "medium": "watchlist", "low": "note"}
OPENINGS = ["", "", "Morning note:", "From the desk:", "Heads-up,", "Credit committee:", "Follow-up:"]
REMARKS = ["", "", "The relationship manager has been told.", "Shares fell at the open.", "No comment from the firm.",
           "The press has it too.", "We have known them for years."]  # fmt: skip
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]


def report(rng: random.Random) -> dict[str, str]:
    """One text and its record."""
    firm, event = rng.choice(FIRMS), rng.choice(list(EVENTS))
    words = {"day": rng.choice(DAYS), "n": rng.randrange(2, 9)}
    millions = rng.randrange(2, 100)
    said = rng.choice(EVENTS[event]).format(**words)
    exposure = rng.choice([
        f"Our exposure is {millions} million.", f"We have {millions} million with them.", f"Line drawn: {millions} million.",
    ])  # fmt: skip
    parts = [rng.choice(OPENINGS), f"{firm} {said}.", exposure, rng.choice(REMARKS)]
    if rng.random() < 0.3:
        parts[1], parts[2] = parts[2], parts[1]
    severity = SEVERITY[event]
    record = {"event": event, "severity": severity, "action": ACTION[severity], "exposure": millions}
    return {"prompt": "Extract: " + " ".join(part for part in parts if part), "completion": json.dumps(record)}


def main() -> None:
    """Write reports.jsonl, no text twice."""
    rng = random.Random(SEED)
    rows: dict[str, dict[str, str]] = {}
    while len(rows) < REPORTS:
        row = report(rng)
        rows.setdefault(row["prompt"], row)
    target = Path(__file__).with_name("reports.jsonl")
    target.write_text("".join(json.dumps(row) + "\n" for row in rows.values()), encoding="utf-8")
    print(f"{target.name}: {len(rows)} reports")


if __name__ == "__main__":
    main()
