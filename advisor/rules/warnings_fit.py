"""Warnings of the advisor (see registry.py)."""

from __future__ import annotations

TABLE = ()
