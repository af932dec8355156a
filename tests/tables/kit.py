"""Workbooks as openpyxl and other programs save them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from typing import Any

import openpyxl

SHEET = "xl/worksheets/sheet1.xml"


def workbook(rows: Sequence[Sequence[Any]], *merged: str) -> bytes:
    """Return a workbook with one sheet, `Sheet`."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(list(row))
    for area in merged:
        book.active.merge_cells(area)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def edited(content: bytes, old: bytes, new: bytes, name: str = SHEET) -> bytes:
    """Return a workbook with a part of its XML replaced."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {item: archive.read(item) for item in archive.namelist()}
    assert old in parts[name]
    parts[name] = parts[name].replace(old, new)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for item, part in parts.items():
            archive.writestr(item, part)
    return target.getvalue()
