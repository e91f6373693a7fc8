"""The two looks, dark and light, and which of them a terminal gets.

Meaning never hangs on colour alone: what is good, wrong or moved carries a sign as well, so that NO_COLOR (which
textual turns into shades of grey) and colour blindness lose nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from textual.theme import Theme

DARK = Theme(
    name="ftc-dark",
    primary="#6ea8fe",
    secondary="#8b9bb4",
    accent="#f2b85c",
    success="#7fc98f",
    warning="#e8b04b",
    error="#ef7f7f",
    foreground="#d7dce4",
    background="#14171c",
    surface="#191d24",
    panel="#232933",
    dark=True,
    variables={
        "muted": "#8791a1",
        "block-cursor-background": "#2d4263",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#20262f",
        "block-cursor-blurred-foreground": "#d7dce4",
        "border": "#6ea8fe",
        "border-blurred": "#39414e",
        "footer-background": "#191d24",
        "footer-key-foreground": "#f2b85c",
        "scrollbar": "#39414e",
        "scrollbar-background": "#191d24",
    },
)

LIGHT = Theme(
    name="ftc-light",
    primary="#1f5fbf",
    secondary="#5a6780",
    accent="#9a5b00",
    success="#1f7a3a",
    warning="#8f5a00",
    error="#b3261e",
    foreground="#1d2430",
    background="#f6f7f9",
    surface="#ffffff",
    panel="#e6e9ef",
    dark=False,
    variables={
        "muted": "#667085",
        "block-cursor-background": "#cfe0fb",
        "block-cursor-foreground": "#101722",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#eceff4",
        "block-cursor-blurred-foreground": "#1d2430",
        "border": "#1f5fbf",
        "border-blurred": "#c3cad6",
        "footer-background": "#e6e9ef",
        "footer-key-foreground": "#9a5b00",
        "scrollbar": "#c3cad6",
        "scrollbar-background": "#f6f7f9",
    },
)

MUTED = "#808897"  # for themes that textual brings: what is said in a low voice

_LIGHT_BACKGROUNDS = ("7", "15")  # white and bright white among the 16 colours


def for_terminal(environment: Mapping[str, str]) -> str:
    """The name of the theme: FTC_THEME where it is `dark` or `light`, else what COLORFGBG says of the background."""
    wanted = environment.get("FTC_THEME", "").lower()
    if wanted in ("dark", "light"):
        return f"ftc-{wanted}"
    background = environment.get("COLORFGBG", "").rpartition(";")[2]
    return LIGHT.name if background in _LIGHT_BACKGROUNDS else DARK.name
