"""The local web page of a project: `promptbench view`."""
