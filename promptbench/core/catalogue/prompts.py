"""Codes of prompts and models: 3xx and 4xx."""

from __future__ import annotations

from promptbench.core.catalogue.entry import TERMINAL, Entry
from promptbench.core.diagnostics import Code

_PROMPT = "triage.prompt"
_CASE = "cases:\n  - case: late parcel\n    vars: {message: Where is my parcel?}\n    expect: {team: delivery}\n"
_SMALL = '[providers.openai_compatible.servers.small]\nbase_url = "http://127.0.0.1:8000/v1"\ncontext_window = 512\n'

PROMPTS = (
    Entry(
        Code.PROMPT_SYNTAX,
        "the prompt file is not one",
        "What a prompt file says of itself stands between two lines of three dashes at its start; below them comes the "
        "text, with {{names}} closed on their line.",
        "Close what is open, as the hint says.",
        wrong="---\nconfig: {temperature: 0}\nWhich team is this for? {{message}}\n",
        right="---\nconfig: {temperature: 0}\n---\nWhich team is this for? {{message}}\n",
        file=_PROMPT,
    ),
    Entry(
        Code.PROMPT_DIALECT,
        "the language of another template engine",
        "Conditions, loops and filters of Handlebars, Jinja or Mustache are not carried out here, and "
        "it is not guessed "
        "what they would have made.",
        "Write a prompt for each branch, or put the finished text into a variable of the case.",
        wrong="{{#if urgent}}Be quick. {{/if}}Which team is this for? {{message}}\n",
        right="Be quick. Which team is this for? {{message}}\n",
        file=_PROMPT,
    ),
    Entry(
        Code.MISSING_VARIABLE,
        "a case has no value for a name in the prompt",
        "The prompt has a name between double braces, and the case does not say what goes there.",
        "Add it under 'vars:', spelt as in the prompt.",
        wrong="cases:\n  - case: late parcel\n    vars: {massage: Where is my parcel?}\n    expect: {team: delivery}\n",
        right=_CASE,
    ),
    Entry(
        Code.UNUSED_VARIABLE,
        "a value that no prompt uses",
        "The case gives a value that the prompt has no place for, so it changes nothing.",
        "Delete the line, or write {{mood}} where it belongs in the prompt.",
        wrong="cases:\n  - case: late parcel\n    vars: {message: Where is my parcel?, mood: angry}\n"
        "    expect: {team: delivery}\n",
        right=_CASE,
    ),
    Entry(
        Code.BAD_SCHEMA,
        "the schema of the answer cannot be read",
        "Under 'output: schema:' a prompt says which fields its answer has, in a short form or as JSON Schema. "
        "A type is misspelt there, or there is something that neither of them has.",
        "Use string, number, integer, boolean, null, any, or a list of choices.",
        wrong="---\noutput: {schema: {team: strng}}\n---\nWhich team is this for? {{message}}\n",
        right="---\noutput: {schema: {team: string}}\n---\nWhich team is this for? {{message}}\n",
        file=_PROMPT,
    ),
    Entry(
        Code.EMPTY_MESSAGE,
        "a message without text",
        "A role is opened in the prompt and nothing is said under it; providers refuse such a message.",
        "Write its text, or delete the role.",
        wrong='{{role "system"}}\n{{role "user"}}\nWhich team is this for? {{message}}\n',
        right='{{role "system"}}\nYou sort letters.\n{{role "user"}}\nWhich team is this for? {{message}}\n',
        file=_PROMPT,
    ),
    Entry(
        Code.CONTEXT_WINDOW,
        "more than the model can take in",
        "Prompt and case together are longer than the model's context window, or nearly so: it would "
        "cut them, or refuse.",
        "Shorten the prompt, the text or the answer, or take a model with a larger window.",
        wrong="---\nconfig: {maxOutputTokens: 600}\n---\nWhich team is this for? {{message}}\n",
        right="---\nconfig: {maxOutputTokens: 100}\n---\nWhich team is this for? {{message}}\n",
        file=_PROMPT,
        beside={"suite.yaml": "models: [openai_compatible/small/m]\n", "promptbench.toml": _SMALL},
    ),
    Entry(
        Code.LABEL_NOT_OFFERED,
        "an answer that the prompt does not offer",
        "The case expects a word that is in no list of the prompt's schema or text, so no obedient model can give it: "
        "one of the two has a slip.",
        "Spell it as the prompt does.",
        wrong="cases:\n  - case: charged twice\n    vars: {message: I was charged twice}\n"
        "    expect: {team: billing}\n",
        right="cases:\n  - case: charged twice\n    vars: {message: I was charged twice}\n"
        "    expect: {team: Billing}\n",
        beside={_PROMPT: '---\noutput: {schema: {"team(enum)": [Billing, Delivery]}}\n---\nWhich team? {{message}}\n'},
    ),
    Entry(
        Code.CASE_IN_PROMPT,
        "the case is an example in the prompt",
        "The prompt shows the model this very text with its answer, so the case is passed by copying.",
        "Take another text for the case, or for the example.",
        wrong="cases:\n  - case: charged twice\n    vars: {message: I was charged twice for March}\n"
        "    expect: {team: billing}\n",
        right="cases:\n  - case: charged twice\n    vars: {message: March was taken from my account two times}\n"
        "    expect: {team: billing}\n",
        beside={
            _PROMPT: '{{role "user"}}\nI was charged twice for March\n{{role "model"}}\n{"team": "billing"}\n'
            '{{role "user"}}\n{{message}}\n'
        },
    ),
    Entry(
        Code.INTENTS_OVERLAP,
        "the same sentence with two intents",
        "Two cases say the same in nearly the same words and expect different intents: no model can be right in both.",
        "Decide which one it is, and delete or reword the other.",
        wrong="checks: [intent]\ncases:\n  - case: one\n    vars: {message: where is my parcel please}\n"
        "    expect: delivery\n"
        "  - case: two\n    vars: {message: where is my parcel please}\n    expect: tracking\n",
        right="checks: [intent]\ncases:\n  - case: one\n    vars: {message: where is my parcel please}\n"
        "    expect: delivery\n"
        "  - case: two\n    vars: {message: show me the tracking page}\n    expect: tracking\n",
    ),
    Entry(
        Code.UNKNOWN_PROVIDER,
        "a provider that there is not",
        "What stands before the slash of a model's name is who answers for it, and nobody is called that.",
        "Look for a slip; `promptbench doctor` lists what is installed.",
        wrong="models: [opnai/gpt-5-mini]\n",
        right="models: [openai/gpt-5-mini]\n",
    ),
    Entry(
        Code.UNKNOWN_MODEL,
        "a model that there is not",
        "A model is named provider/name. Here one of the two is missing, or the provider knows no such model.",
        "Write both with a slash between them.",
        wrong="models: [gpt-5-mini]\n",
        right="models: [openai/gpt-5-mini]\n",
    ),
    Entry(
        Code.MISSING_CREDENTIAL,
        "the key of the provider is not set",
        "Keys are read from the environment only, never from a file or an option, so that none is ever committed.",
        "Set the variable before you run promptbench; in CI it is a secret of the project.",
        wrong="models: [anthropic/claude-haiku-4-5]\n",
        right="export ANTHROPIC_API_KEY='your key'\n",
        right_file=TERMINAL,
    ),
    Entry(
        Code.MISSING_EXTRA,
        "a package is not installed",
        "This check or model needs a package that is not installed with the rest, because few people need it.",
        "Install it with the extra that the message names.",
        wrong="checks: [{language: English}]\n",
        right="pip install 'promptbench-gate[language]'\n",
        right_file=TERMINAL,
    ),
    Entry(
        Code.CODE_NOT_ALLOWED,
        "a Python file that may not run",
        "A suite may name Python functions, and suites come from many people: only files that the project's settings "
        "allow are ever run.",
        "Read the file. If it may run, name it under 'python' in promptbench.toml.",
        wrong="models: [python/rules.py:answer]\n",
        right='python = ["suites/*/rules.py"]\n',
        right_file="promptbench.toml",
        beside={"rules.py": 'def answer(variables):\n    return "{}"\n'},
    ),
)
