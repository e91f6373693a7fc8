"""Make notes.jsonl: visit notes of an invented clinic, with the line that goes to the family doctor.

Run `python generate.py` in this folder; the same seed writes the same file. No patient exists: names and record numbers
are drawn. A note has complaint and finding in changing order, abbreviations that people type, and things that do not
belong into the line (parking, a lost coat). The line says diagnosis, treatment and when to come again.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

NOTES = 600
SEED = 23

FIRST = ["Ana", "Jonas", "Priya", "Tom", "Mei", "Luca", "Fatima", "Olek", "Grace", "Hugo", "Sara", "Ivan", "Ruth"]
LAST = ["Berger", "Novak", "Okafor", "Silva", "Larsen", "Haddad", "Kowalski", "Moreau", "Tanaka", "Byrne", "Costa"]
# complaint, finding, diagnosis, treatment
CASES = [
    ("cough for {n} days", "lungs clear on auscultation", "acute bronchitis", "fluids and rest"),
    ("burning when passing water", "urine dipstick positive for nitrite", "urinary tract infection", "nitrofurantoin 100 mg twice daily"),
    ("pain in the right knee after running", "no effusion, stable ligaments", "patellofemoral pain", "physiotherapy, ice"),
    ("headache on one side with nausea", "neurological exam normal", "migraine", "ibuprofen 400 mg as needed"),
    ("itchy rash on both forearms", "dry plaques, no infection", "atopic eczema", "hydrocortisone 1 % cream"),
    ("dizzy when standing up", "blood pressure falls by {bp} on standing", "orthostatic hypotension", "less amlodipine, more fluids"),
    ("sore throat and fever of {fever}", "tonsils red with exudate", "streptococcal tonsillitis", "penicillin V for 7 days"),
    ("low back pain since lifting a box", "no red flags, straight leg raise negative", "lumbar strain", "keep moving, paracetamol"),
    ("blood sugar too high at home", "HbA1c {hba} %", "type 2 diabetes, not at target", "metformin 1000 mg twice daily"),
    ("short of breath on the stairs", "ankle oedema, crackles at both bases", "heart failure, NYHA II", "furosemide 20 mg, echo booked"),
    ("runny nose every spring", "pale nasal mucosa", "allergic rhinitis", "cetirizine 10 mg at night"),
    ("tired, hair loss", "TSH {tsh}", "hypothyroidism", "levothyroxine 50 micrograms"),
]  # fmt: skip
ASIDES = [
    "Came late because of the parking.",
    "Brought the daughter along, who translated.",
    "Asked about a travel letter, none needed.",
    "Lost a coat in the waiting room.",
    "Next shift informed.",
    "Insurance card read.",
    "Declined a student in the room.",
]
FOLLOW_UP = ["in {w} weeks", "in {w} days if not better", "at the next check", "by phone in {w} days", "none planned"]


def case(rng: random.Random) -> dict[str, str]:
    """One note with its summary."""
    name = f"{rng.choice(FIRST)} {rng.choice(LAST)}"
    words = {
        "n": rng.randrange(2, 15), "bp": rng.randrange(20, 41), "fever": f"{rng.randrange(381, 396) / 10}",
        "hba": f"{rng.randrange(72, 105) / 10}", "tsh": f"{rng.randrange(61, 190) / 10}", "w": rng.randrange(2, 9),
    }  # fmt: skip
    complaint, finding, diagnosis, treatment = (each.format(**words) for each in rng.choice(CASES))
    follow_up = rng.choice(FOLLOW_UP).format(**words)
    middle = [f"Exam: {finding}.", f"c/o {complaint}."]
    if rng.random() < 0.5:
        middle.append(rng.choice(ASIDES))
    rng.shuffle(middle)
    head = f"{name}, MRN {rng.randrange(10**6, 10**7)}."
    end = f"Follow-up {follow_up}."
    return {
        "prompt": "Summarize: " + " ".join([head, *middle, end]),
        "completion": f"{diagnosis[0].upper()}{diagnosis[1:]}: {treatment}. Follow-up {follow_up}.",
    }


def main() -> None:
    """Write notes.jsonl."""
    rng = random.Random(SEED)
    rows = [case(rng) for _ in range(NOTES)]
    target = Path(__file__).with_name("notes.jsonl")
    target.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    print(f"{target.name}: {len(rows)} notes")


if __name__ == "__main__":
    main()
