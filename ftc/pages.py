"""Every code of every room, and its page: what `ftc explain CODE` prints."""

from __future__ import annotations

from ftc.spec.codes import Code


def all_codes() -> list[str]:
    """Every code there is, sorted."""
    from ftc.advisor.manual import codes as advice_codes

    return sorted([*_tables(), *advice_codes()])


def page(code: str) -> str | None:
    """The page of `code`, or None where there is no such code."""
    found = _tables().get(code)
    if found is not None:
        return "\n".join(
            [
                f"{code}  {found.title}",
                *(
                    f"\n{head}\n  {text}"
                    for head, text in (
                        ("What it checks", found.checks),
                        ("Why it matters", found.why),
                        ("What to do", found.fix),
                    )
                ),
            ]
        )
    from ftc.advisor.manual import codes as advice_codes
    from ftc.advisor.manual import explain

    return explain(code) if code in advice_codes() else None


def _tables() -> dict[str, Code]:
    from ftc.compiler.codes import CODES as PLAN
    from ftc.runtime.codes import CODES as RUNTIME
    from ftc.spec.codes import CODES as SPEC
    from ftc.spec.data_codes import CODES as DATA

    return {**SPEC, **DATA, **PLAN, **RUNTIME}
