"""The decision tree as a value: the seed's questions as the spine, each leaf refined, gates in front.

A node is a rule's code; its branches map the rule's answers to the next node or to a leaf. Walking it needs no more
than asking the rules; drawing it needs no rules at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ftc.advisor.rules.registry import STEPS
from ftc.advisor.values import Facts, Finding

RULES = {rule.code: rule for rule in STEPS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """Where a path ends: a method, or a family of which the search picks the member that fits."""

    name: str
    family: str
    seed: str = ""  # the leaf of the seed tree that it refines


INFEASIBLE = Leaf(name="nothing can be run", family="infeasible")
NEEDS_DATA = Leaf(name="collect data", family="needs-data", seed="RLHF")
PROMPT = Leaf(name="prompt", family="prompt", seed="prompt engineering")
RAG = Leaf(name="retrieval", family="rag", seed="prompt engineering")
ADAPTER = Leaf(name="LoRA, QLoRA where it does not fit", family="adapter", seed="LoRA / QLoRA")
FULL = Leaf(name="full fine-tuning", family="full", seed="full fine-tuning")
CPT = Leaf(name="continued pre-training, then SFT", family="cpt+sft", seed="full fine-tuning")
DPO = Leaf(name="DPO", family="dpo", seed="RLHF")
KTO = Leaf(name="KTO", family="kto", seed="RLHF")
SFT_DPO = Leaf(name="SFT, then DPO", family="sft+dpo", seed="RLHF")
GRPO = Leaf(name="GRPO", family="grpo", seed="RLHF")
RLHF = Leaf(name="reward model, then RLOO or GRPO", family="rlhf", seed="RLHF")

ROOT = "M100"
TREE: Mapping[str, Mapping[str, str | Leaf]] = {
    "M100": {"yes": "M101", "no": INFEASIBLE},
    "M101": {"yes": "M102", "another model": "M102", "only an API": "M111", "no": INFEASIBLE},
    "M102": {"yes": "M103", "no": NEEDS_DATA},
    "M103": {"yes": "M110", "no": "M111"},
    "M110": {"yes": "M112", "no": "M111"},
    "M111": {"facts": RAG, "behaviour": PROMPT},
    "M112": {"facts": RAG, "behaviour": "M120"},
    "M120": {"yes": "M125", "raw text": "M130", "no": "M121"},
    "M121": {
        "pairs": DPO, "pairs, base model": SFT_DPO, "thumbs": KTO, "checkable": GRPO, "reward": RLHF,
        "nothing to gain": PROMPT, "too little": NEEDS_DATA, "none": NEEDS_DATA,
    },
    "M125": {
        "no": "M130", "pairs": SFT_DPO, "pairs alone": DPO, "thumbs": KTO, "checkable": GRPO, "reward": RLHF,
    },
    "M130": {"no": ADAPTER, "yes": FULL, "new language": CPT, "domain corpus": CPT},
}  # fmt: skip


def walk(facts: Facts) -> tuple[Leaf, tuple[Finding, ...]]:
    """The leaf that the facts lead to, and the steps on the way."""
    path: list[Finding] = []
    node: str | Leaf = ROOT
    while isinstance(node, str):
        found = RULES[node].ask(facts)
        path.append(found)
        node = TREE[node][found.answer]
    return node, tuple(path)


def mermaid(trace: tuple[Finding, ...] = (), method: str = "") -> str:
    """The tree as a mermaid flowchart; nodes and edges on the way of `trace` are drawn thick."""
    taken = {step.code: step.answer for step in trace}
    lines, leaves, thick, edge = ["flowchart TD"], {}, [], 0
    for code, branches in TREE.items():
        lines.append(f'    {code}{{"{code} {_escaped(RULES[code].title)}"}}')
        for answer, to in branches.items():
            if isinstance(to, Leaf):
                target = "L_" + "".join(letter for letter in to.family if letter.isalpha())
                leaves[target] = to
            else:
                target = to
            on = taken.get(code) == answer
            lines.append(f'    {code} {"==" if on else "--"}>|"{_escaped(answer)}"| {target}')
            if on:
                thick.append(edge)
            edge += 1
    for target, leaf in sorted(leaves.items()):
        seed = f"<br/><i>{leaf.seed}</i>" if leaf.seed else ""
        lines.append(f'    {target}(["{_escaped(leaf.name)}{seed}"])')
    lines += [f"    linkStyle {number} stroke-width:3px" for number in thick]
    walked = [code for code in taken if code in TREE]
    if walked:
        lines += ["    classDef taken stroke-width:3px", f"    class {','.join(walked)} taken"]
    if method and walked:
        last = TREE[walked[-1]].get(taken[walked[-1]])
        if isinstance(last, Leaf):
            target = "L_" + "".join(letter for letter in last.family if letter.isalpha())
            lines += [f'    verdict[["{_escaped(method)}"]]', f"    {target} ==> verdict", "    class verdict taken"]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """Text that mermaid takes inside quotes."""
    return text.replace('"', "#quot;")
