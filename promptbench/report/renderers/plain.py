"""Plain text without colour and without wrapped lines: for pipes, files and the logs of other programs.

Names and tables are whole; of an answer, `_LONGEST` characters are shown.
"""

from collections.abc import Sequence

from promptbench.plugins import ReportFormatSpec
from promptbench.report.document import Report, Target
from promptbench.report.renderers.terminal import text_of

_LONGEST = 500


def render(reports: Sequence[Report], target: Target) -> str:
    return text_of(reports, Target(width=_LONGEST, verbose=target.verbose, quiet=target.quiet), wrap=False)


SPEC = ReportFormatSpec(render)
