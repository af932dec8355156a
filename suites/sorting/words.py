from pathlib import Path

LINES = Path(__file__).with_name("teams.csv").read_text(encoding="utf-8").splitlines()
TEAMS = dict(line.split(",") for line in LINES[1:])


def first_team(message):
    return next((team for word, team in TEAMS.items() if word in message.casefold()), "other")
