"""Make tickets.csv: support questions of an invented parcel company, each with the desk that has to answer it.

Run `python generate.py` in this folder; the same seed writes the same file. Every ticket is put together from a
situation, an optional preamble and an optional closing, with the slips of people who type in a hurry. Desks share
words on purpose (a parcel, a label, a refund turn up everywhere), so that no keyword decides alone.
"""

from __future__ import annotations

import csv
import random
from pathlib import Path

ROWS = 2400
SEED = 7

PREAMBLES = [
    "", "", "", "Hi,", "Hello,", "Good morning,", "Hey there,", "Hi team,", "Quick question:", "Sorry to bother you,",
    "Second time I write:", "I called earlier but nobody picked up.", "Long-time customer here.", "Urgent please.",
]  # fmt: skip
CLOSINGS = [
    "", "", "", "Thanks.", "Thank you!", "Please advise.", "Any help?", "Can you help?", "Waiting for your answer.",
    "Kind regards, {name}", "{name}", "I need this sorted by {day}.", "Let me know.", "Cheers",
]  # fmt: skip
SLOTS = {
    "name": ["Ana", "Jonas", "Priya", "Tom", "Mei", "Luca", "Fatima", "Olek", "Grace", "Hugo", "Sara", "Ivan"],
    "day": ["Monday", "Tuesday", "Friday", "tomorrow", "the weekend", "the 14th", "next week"],
    "thing": ["lamp", "phone case", "coat", "bike part", "book", "birthday present", "coffee machine", "pair of boots"],
    "place": ["Porto", "Leeds", "Gdansk", "Lyon", "Graz", "Turin", "Ghent", "Malmo", "Bilbao", "Cork"],
    "n": ["2", "3", "4", "5", "6", "8", "10", "12"],
    "euro": ["4.90", "7.50", "12", "18.40", "23", "39.99", "55", "120"],
    "number": ["RB4471", "TX9023", "PK1180", "LM5562", "QD7719", "ZA3034", "HV6650"],
    "who": ["my neighbour", "my mother", "the reception", "my flatmate", "a colleague", "the caretaker"],
}
DESKS = {
    "track_parcel": [
        "parcel {number} has said 'in transit' for {n} days, where is it now",
        "tracking for {number} stopped moving in {place}, is it stuck",
        "can you see where my {thing} is, the link you mailed shows nothing",
        "it left {place} on {day} and no scan since then",
        "the page says it arrives {day}, is that still right for {number}",
        "no update on {number} for {n} days, has anyone scanned it",
        "which depot has my {thing} at the moment",
    ],
    "missing_parcel": [
        "tracking says delivered to {who} but {who} has nothing",
        "marked as delivered on {day}, there is no parcel at my door",
        "I never received {number}, the photo shows somebody else's porch",
        "the {thing} was signed for, not by me and not by {who}",
        "delivered according to you, yet the box is nowhere in the building",
        "driver says it is in the hallway, the hallway is empty",
        "my {thing} has vanished after it was 'handed over' in {place}",
    ],
    "damaged_parcel": [
        "the box was crushed and the {thing} inside is broken",
        "my {thing} came soaked, the carton was open on one side",
        "glass all over when I opened {number}, it was marked fragile",
        "arrived in {n} pieces, whoever packed the van did not care",
        "there is a hole in the parcel and the {thing} is scratched",
        "the label was intact but everything under it was smashed",
        "wet cardboard, stains on the {thing}, I took photos",
    ],
    "change_address": [
        "I moved to {place}, can {number} go to the new flat instead",
        "wrong house number on the label, it should be {n} not 7",
        "please send the {thing} to {who}, I am away until {day}",
        "I typed the old postcode when I booked, can it be corrected before {day}",
        "can the driver bring {number} to my office in {place} instead",
        "the street is spelled wrong on the booking, will it still find me",
        "redirect my parcel to a shop near the station in {place}",
    ],
    "reschedule_delivery": [
        "nobody is home on {day}, can you come later",
        "missed the driver twice, please try again on {day} after 6",
        "is an evening slot possible for {number}",
        "can you hold the {thing} until {day}, I am travelling",
        "the card says next attempt {day}, that does not work for me",
        "morning delivery would be better, I am at work until {n}",
        "please bring it a day later than planned, same address",
    ],
    "book_pickup": [
        "I want a courier to collect {n} boxes in {place} on {day}",
        "how do I order a collection from my home for a {thing}",
        "can someone pick up a return label parcel at {who}'s place",
        "need a van for {n} parcels, earliest day please",
        "the driver did not come to collect my parcel on {day}, book again",
        "is there a pickup on saturdays in {place}",
        "collection of a {thing}, do I print the label or does he bring it",
    ],
    "price_question": [
        "what does it cost to send a {thing} to {place}",
        "is {n} kg to {place} more than {euro} euro",
        "how much is insurance on top for something worth {euro}",
        "do you have cheaper rates if I ship {n} a week",
        "price for express to {place} by {day} please",
        "does the size or the weight decide the price of a {thing}",
        "any discount for students, it was {euro} last time",
    ],
    "refund": [
        "I was promised my {euro} euro back for {number} and got nothing",
        "cancelled the booking on {day}, when do I see the money",
        "express came {n} days late, I want the surcharge back",
        "you charged {euro} twice for one label, please return one",
        "the claim for the {thing} was accepted, the money never came",
        "how long does a refund take, it has been {n} weeks",
        "pickup never happened so please give me back the {euro}",
    ],
    "invoice": [
        "I need the invoice for {number} with our VAT number on it",
        "the invoice of last month shows {n} parcels, we sent fewer",
        "please put the company name in {place} on the bill",
        "can I get one bill a month instead of one for each parcel",
        "accounting cannot open the pdf for {euro} euro, send it again",
        "where do I download the receipts for my tax return",
        "there is a position of {euro} on the bill that nobody here understands",
    ],
    "customs": [
        "{number} is held at the border, which papers are missing",
        "do I have to pay duty on a {thing} worth {euro} from outside the EU",
        "customs asks for a commercial invoice for my gift, what do I write",
        "what is the tariff number for a {thing}",
        "I paid {euro} import tax at the door, was that correct",
        "can I send a {thing} to Switzerland without a declaration",
        "officer in {place} wants proof of value before he releases it",
    ],
    "account_access": [
        "I cannot log in, the reset mail never arrives",
        "the app says my password is wrong since the update",
        "my account is locked after {n} tries, please open it",
        "how do I change the email of our account, {who} has left",
        "code by text message does not come, I cannot get to my bookings",
        "please delete my profile and everything in it",
        "two accounts with one phone number, can you merge them",
    ],
    "prohibited_items": [
        "may I send a {thing} with a lithium battery inside",
        "is perfume allowed in a parcel to {place}",
        "can I ship {n} bottles of wine to {who}",
        "are medicines accepted if I have the prescription",
        "do you carry live plants, it is for a garden in {place}",
        "you sent back my parcel because of a spray can, what is forbidden",
        "is it ok to put cash or a gift card in the box",
    ],
}
SLIPS = [("the ", "teh "), ("parcel", "parcle"), ("you", "u"), ("please", "pls"), ("address", "adress"), ("'", "")]


def ticket(rng: random.Random, situations: list[str]) -> str:
    """One ticket: preamble, situation, closing, sometimes a slip of the fingers."""
    parts = [rng.choice(PREAMBLES), rng.choice(situations), rng.choice(CLOSINGS)]
    text = " ".join(part for part in parts if part)
    for slot, values in SLOTS.items():
        while "{" + slot + "}" in text:
            text = text.replace("{" + slot + "}", rng.choice(values), 1)
    if rng.random() < 0.15:
        text = text.replace(*rng.choice(SLIPS))
    if rng.random() < 0.25:
        text = text.lower()
    return text if text.endswith((".", "!", "?")) or rng.random() < 0.3 else text + "?"


def main() -> None:
    """Write tickets.csv, no text twice."""
    rng = random.Random(SEED)
    rows: dict[str, str] = {}
    while len(rows) < ROWS:
        desk = rng.choice(list(DESKS))
        rows.setdefault(ticket(rng, DESKS[desk]), desk)
    target = Path(__file__).with_name("tickets.csv")
    with target.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "desk"])
        writer.writerows(rows.items())
    print(f"{target.name}: {len(rows)} tickets, {len(DESKS)} desks")


if __name__ == "__main__":
    main()
