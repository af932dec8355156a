"""The keys of suites and cases about tools."""

from typing import Annotated, Any

from pydantic import Field

ToolResultsField = Annotated[
    Any,
    Field(
        description="What the prompt's tools return, so that the model continues: by their names, as a list of 'tool', "
        "'arguments' and 'result', or from a Python function.",
        examples=[
            {"find_order": {"status": "sent"}},
            [{"tool": "find_order", "arguments": {"number": "17"}, "result": "unknown order"}],
            "python/tools.py:run",
        ],
    ),
]
MaxStepsField = Annotated[
    int,
    Field(
        ge=1,
        le=100,
        description="How often the model may be called in a case whose tools have results, the final answer included.",
        examples=[4],
    ),
]
