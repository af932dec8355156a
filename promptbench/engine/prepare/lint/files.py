"""Report files of cases that are too large, or that a model is known not to take."""

from collections.abc import Callable, Mapping, Sequence

from promptbench.core.errors import Code, Diagnostics, Location
from promptbench.core.files import FileValue, files_in, kind_of
from promptbench.engine.prepare.prepared_suite import Variant
from promptbench.suite.models import Case

_MEGABYTE = 1024 * 1024
_MOST = 20  # files that are too large, by name


class FileLint:
    """Looks at the files that the prompts send. `refusals` say by model why it does not take a media type, or None."""

    def __init__(
        self,
        variants: Sequence[Variant],
        refusals: Mapping[str, Callable[[str], str | None]],
        most_megabytes: float,
    ) -> None:
        self._sends = any(item.prompt.file_names for item in variants)
        self._refusals = refusals
        self._most = most_megabytes
        self._large: list[tuple[FileValue, Location]] = []
        self._first: dict[str, tuple[FileValue, Location]] = {}  # by media type

    def look(self, case: Case) -> None:
        for name, value in case.variables.items():
            for file in files_in(value):
                found = (file, case.where.location("files", name))
                self._first.setdefault(file["type"], found)
                if file["size"] > self._most * _MEGABYTE and len(self._large) < _MOST:
                    self._large.append(found)

    def report(self, found: Diagnostics) -> None:
        """Add one error for each file that is too large, and for each model and type that it does not take."""
        for file, location in self._large:
            message = f"'{file['file']}' has {file['size'] / _MEGABYTE:.1f} MB, and the most is {self._most:g} MB"
            found.add(Code.TOO_BIG, message, location, hint="make it smaller, or set 'max-file-mb'")
        for model, refuses in self._refusals.items() if self._sends else ():
            for media, (file, location) in self._first.items():
                if reason := refuses(media):
                    message = f"{model} takes no {kind_of(media)}, as '{file['file']}' is: {reason}"
                    hint = "name a model that does, or leave the case to a suite of its own"
                    found.add(Code.FILE_NOT_TAKEN, message, location, hint=hint)
