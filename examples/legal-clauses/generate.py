"""Make clauses.csv: 36 clauses of invented contracts, each with its kind. That is all that a lawyer had time to label.

Run `python generate.py` in this folder; the same seed writes the same file.
"""

from __future__ import annotations

import csv
import random
from pathlib import Path

SEED = 41
CLAUSES = {
    "termination": [
        "Either party may end this agreement with {n} days' written notice.",
        "The lender may terminate at once where a payment is {n} days late.",
        "This contract ends by itself on the last day of {month}.",
        "If the tenant breaches a material duty, the landlord may cancel without notice.",
        "Termination for cause remains possible at any time.",
        "The customer may withdraw within {n} days of signing.",
    ],
    "liability": [
        "Liability is limited to the fees paid in the last {n} months.",
        "Neither party is liable for loss of profit.",
        "The supplier is liable without limit for intent and gross negligence.",
        "Damages above EUR {n},000 are excluded.",
        "The contractor shall indemnify the client against claims of third parties.",
        "No liability is accepted for data that the customer did not back up.",
    ],
    "confidentiality": [
        "Each party keeps the other's business secrets for {n} years.",
        "Drawings may not be shown to third parties.",
        "Information that is public is not confidential.",
        "The employee shall not disclose prices, also after leaving.",
        "Upon request all confidential papers are returned within {n} days.",
        "Advisers bound by professional secrecy may be told.",
    ],
    "payment": [
        "Invoices are due {n} days after receipt.",
        "Late payments bear interest of {n} % a year.",
        "The price is adjusted each {month} by the consumer price index.",
        "The buyer pays one third on signing and the rest on delivery.",
        "Set-off is allowed only with undisputed claims.",
        "All fees are exclusive of value added tax.",
    ],
    "governing_law": [
        "This agreement is governed by the law of the Netherlands.",
        "The courts of Vienna have exclusive jurisdiction.",
        "The UN sales convention does not apply.",
        "Disputes are settled by a panel of {n} arbitrators in Geneva.",
        "English law applies, without its conflict rules.",
        "Mandatory consumer protection at the buyer's home remains.",
    ],
    "force_majeure": [
        "Neither party answers for delay caused by flood, war or strike.",
        "Where an epidemic closes the plant, delivery dates move accordingly.",
        "After {n} months of such an event either side may step back.",
        "Power cuts count as events beyond control.",
        "The party affected tells the other within {n} days.",
        "Rising prices of raw material are not an event of this kind.",
    ],
}
MONTHS = ["March", "June", "September", "December"]


def main() -> None:
    """Write clauses.csv in random order."""
    rng = random.Random(SEED)
    rows = [
        (text.format(n=rng.choice([7, 12, 14, 30, 60, 90]), month=rng.choice(MONTHS)), kind)
        for kind, texts in CLAUSES.items()
        for text in texts
    ]
    rng.shuffle(rows)
    target = Path(__file__).with_name("clauses.csv")
    with target.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label"])
        writer.writerows(rows)
    print(f"{target.name}: {len(rows)} clauses, {len(CLAUSES)} kinds")


if __name__ == "__main__":
    main()
