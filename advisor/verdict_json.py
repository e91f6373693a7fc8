"""The verdict in the form that scripts read: what `ftc advise --json` prints and what a plan keeps."""

from __future__ import annotations

from typing import Any

from ftc.advisor.values import Candidate, Finding, MemoryEstimate, Verdict


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """Everything a script may ask of a verdict, as JSON values."""
    return {
        "method": verdict.method,
        "adapter": verdict.adapter,
        "model": verdict.model,
        "flags": list(verdict.flags),
        "trace": [finding_json(each) for each in verdict.trace],
        "notes": [finding_json(each) for each in verdict.notes],
        "chosen": candidate_json(verdict.chosen) if verdict.chosen else None,
        "alternatives": [candidate_json(each) for each in verdict.alternatives],
        "flips": [{"change": each.change, "to": each.to} for each in verdict.flips],
        "questions": [
            {"key": each.key, "text": each.text, "outcomes": dict(each.outcomes)} for each in verdict.questions
        ],
        "confidence": verdict.confidence,
        "confidence_because": verdict.confidence_because,
        "instead": verdict.instead,
        "settings": {
            name: {"value": each.value, "origin": each.origin, "because": each.because}
            for name, each in sorted(verdict.settings.items())
        },
    }


def finding_json(finding: Finding) -> dict[str, Any]:
    """One step of the path, or one warning."""
    return {
        "code": finding.code,
        "question": finding.question,
        "answer": finding.answer,
        "because": finding.because,
        "evidence": list(finding.evidence),
        "flag": finding.flag,
        "rule_of_thumb": finding.rule_of_thumb,
    }


def candidate_json(candidate: Candidate) -> dict[str, Any]:
    """One way to do it, with its price as ranges; null where there is nothing to run."""
    machine = candidate.machine
    return {
        "method": candidate.method,
        "adapter": candidate.adapter,
        "model": candidate.model,
        "gpu": machine.device.name if machine else None,
        "gpus": machine.devices if machine else 0,
        "offer": f"{machine.offer.cloud} {machine.offer.instance}" if machine and machine.offer else None,
        "feasible": candidate.feasible,
        "why_not": candidate.why_not,
        "memory_gib": candidate.memory.device.range() if candidate.memory else None,
        "hours": candidate.time.hours.range() if candidate.time else None,
        "usd": candidate.usd.range() if candidate.usd else None,
        "pareto": candidate.pareto,
    }


def memory_json(memory: MemoryEstimate) -> dict[str, Any]:
    """The memory block of `ftc estimate --json`."""
    return {
        "allocated_gib": memory.allocated.range(),
        "reserved_gib": memory.reserved.range(),
        "device_gib": memory.device.range(),
        "breakdown_gib": dict(memory.breakdown),
        "host_gib": memory.host.range(),
    }
