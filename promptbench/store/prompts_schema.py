"""The tables, triggers and views of `prompts.sqlite`."""

SET = "prompt_store"


def _append_only(table: str, taken: str) -> tuple[str, ...]:
    # `INSERT OR REPLACE` may fire no delete trigger, hence the third.
    return (
        f"""CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table}
            BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END""",
        f"""CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}
            BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END""",
        f"""CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table}
            WHEN EXISTS (SELECT 1 FROM {table} WHERE {taken})
            BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END""",
    )


# WITHOUT ROWID leaves no hidden key through which INSERT OR REPLACE could reach another row.
_TABLES = (
    """CREATE TABLE blob (
        hash TEXT PRIMARY KEY,
        text TEXT NOT NULL
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE version (
        prompt TEXT NOT NULL,
        number INTEGER NOT NULL,
        hash TEXT NOT NULL REFERENCES blob (hash),
        source_hash TEXT NOT NULL REFERENCES blob (hash),
        created TEXT NOT NULL,
        PRIMARY KEY (prompt, number),
        UNIQUE (prompt, hash)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE evidence (
        hash TEXT PRIMARY KEY,
        body TEXT NOT NULL
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE event (
        prompt TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        kind TEXT NOT NULL,
        label TEXT,
        from_hash TEXT,
        to_hash TEXT,
        to_number INTEGER,
        evidence TEXT REFERENCES evidence (hash),
        actor TEXT NOT NULL,
        reason TEXT,
        at TEXT NOT NULL,
        prev TEXT,
        hash TEXT NOT NULL UNIQUE,
        PRIMARY KEY (prompt, sequence),
        FOREIGN KEY (prompt, from_hash) REFERENCES version (prompt, hash),
        FOREIGN KEY (prompt, to_hash) REFERENCES version (prompt, hash)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX event_label ON event (prompt, label, sequence)",
    """CREATE VIEW label AS
        SELECT prompt, label, to_number AS version, to_hash AS hash, kind, actor, reason, at AS since, sequence
        FROM event AS latest
        WHERE label IS NOT NULL AND kind <> 'retired' AND NOT EXISTS (
            SELECT 1 FROM event AS later
            WHERE later.prompt = latest.prompt AND later.label = latest.label AND later.sequence > latest.sequence
        ) AND NOT EXISTS (
            SELECT 1 FROM event AS later
            WHERE later.prompt = latest.prompt AND later.label IS NULL AND later.sequence > latest.sequence
        )
        ORDER BY prompt, label""",
    """CREATE VIEW history AS
        SELECT event.prompt, event.sequence, event.at, event.kind, event.label, before.number AS from_version,
            event.to_number AS to_version, event.actor, event.reason, event.evidence
        FROM event LEFT JOIN version AS before
            ON before.prompt = event.prompt AND before.hash = event.from_hash
        ORDER BY event.prompt, event.sequence""",
)

MIGRATIONS: dict[str, tuple[str, ...]] = {
    "0001_tables": (
        *_TABLES,
        *_append_only("blob", "hash = NEW.hash"),
        *_append_only("version", "prompt = NEW.prompt AND (number = NEW.number OR hash = NEW.hash)"),
        *_append_only("evidence", "hash = NEW.hash"),
        *_append_only("event", "(prompt = NEW.prompt AND sequence = NEW.sequence) OR hash = NEW.hash"),
    ),
    "0002_merges": (
        "ALTER TABLE event ADD COLUMN summary TEXT",
        "ALTER TABLE event ADD COLUMN merged TEXT",
        "DROP VIEW label",
        # A merged event has no label, and takes none away.
        """CREATE VIEW label AS
        SELECT prompt, label, to_number AS version, to_hash AS hash, kind, actor, reason, at AS since, sequence
        FROM event AS latest
        WHERE label IS NOT NULL AND to_hash IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM event AS later
            WHERE later.prompt = latest.prompt AND later.label = latest.label AND later.sequence > latest.sequence
        ) AND NOT EXISTS (
            SELECT 1 FROM event AS later
            WHERE later.prompt = latest.prompt AND later.label IS NULL AND later.kind = 'retired'
                AND later.sequence > latest.sequence
        )
        ORDER BY prompt, label""",
        "DROP VIEW history",
        """CREATE VIEW history AS
        SELECT event.prompt, event.sequence, event.at, event.kind, event.label, before.number AS from_version,
            event.to_number AS to_version, event.actor, event.reason, event.evidence, event.summary
        FROM event LEFT JOIN version AS before
            ON before.prompt = event.prompt AND before.hash = event.from_hash
        ORDER BY event.prompt, event.sequence""",
    ),
}
