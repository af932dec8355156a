"""Read files beside a suite."""

from pathlib import PureWindowsPath

from promptbench.checks._options import texts
from promptbench.checks._scores import quoted
from promptbench.plugins import CheckContext, Json

_MOST_BYTES = 1_000_000


def read_beside(name: str, context: CheckContext) -> str:
    """Return the text of a file below the suite's folder. Raises ValueError if it cannot be read."""
    folder = context.folder.resolve()
    try:
        path = (folder / name.replace("\\", "/")).resolve()
        if PureWindowsPath(name).drive or not path.is_relative_to(folder):
            raise PermissionError("it is outside the suite's folder")
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise OverflowError(f"it has more than {_MOST_BYTES:,} bytes")
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise ValueError(f"file {quoted(name)} not found next to the suite") from None
    except (OSError, RuntimeError, ValueError, OverflowError) as error:
        raise ValueError(f"{quoted(name)} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def read_labels(written: Json, context: CheckContext) -> tuple[str, ...]:
    """Return labels from a list, or from a file with one a line, in their order. Raises ValueError."""
    if isinstance(written, str):
        found = [line for line in map(str.strip, read_beside(written, context).splitlines()) if line]
    else:
        found = [item.strip() for item in texts(written)]
    if not found:
        raise ValueError(f"{written} has no labels: write one on each line")
    if len({*found}) < len(found):
        twice = next(label for label in found if found.count(label) > 1)
        raise ValueError(f"the label {quoted(twice)} is listed twice")
    return tuple(found)
