"""The one textual app: two themes and a first screen. Everything else is the screens'.

Importing textual takes 200 ms, so only the commands that open a screen import this module, and only when they do.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import partial

from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.screen import Screen

from ftc.screens.themes import DARK, LIGHT, MUTED, for_terminal
from ftc.screens.widgets.confirm import Confirm


class FtcApp(App[int]):
    """Shows one screen; its result is the exit code."""

    CSS_PATH = "ftc.tcss"
    TITLE = "ftc"
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 - declared so by textual

    def __init__(self, first: Screen[int]) -> None:
        super().__init__()
        self._first = first
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = for_terminal(os.environ)

    def get_default_screen(self) -> Screen[int]:
        """The screen that the command asked for stands at the bottom, so that leaving it leaves the app."""
        return self._first

    async def action_quit(self) -> None:
        """ctrl+q leaves as the screen's own key does: not without a word where a change would be lost."""
        leave = getattr(self._first, "action_quit", None)
        if leave is None:
            await super().action_quit()
        elif not isinstance(self.screen, Confirm):
            leave()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every key of the screen by name; of textual's own, those that no key of ours does with more care."""
        own = {each.action for each in type(screen).BINDINGS if isinstance(each, Binding)}  # not those of every screen
        seen: set[str] = set()
        for active in screen.active_bindings.values():
            binding = active.binding
            if binding.action not in own or not binding.description or binding.action in seen:
                continue
            seen.add(binding.action)
            said = getattr(screen, f"action_{binding.action.partition('(')[0]}", None)
            meaning = binding.tooltip or ((said.__doc__ or "").strip().partition("\n")[0] if said else "")
            key = self.get_key_display(binding)
            yield SystemCommand(f"{binding.description}  ({key})", meaning, partial(screen.run_action, binding.action))
        yield from (each for each in super().get_system_commands(screen) if each.title in ("Theme", "Screenshot"))

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """What our styles ask for and other themes do not have."""
        return {"muted": MUTED}
