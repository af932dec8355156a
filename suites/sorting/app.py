"""Sort a message to a team: a pipeline of one's own, judged as a prompt is."""

from words import first_team


def answer(variables):
    return {"team": first_team(variables["message"])}
