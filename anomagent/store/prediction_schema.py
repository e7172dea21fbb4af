"""The part of the schema that predictions need beyond their table: how each ended, and what was asked."""

from sqlite_utils.db import Database


def m008_predictions(database: Database) -> None:
    """Predictions by configuration and content, so that failures are remembered and results are found again.

    `prediction_sets`: what a configuration stands for. Rows of `predictions` are appended; the newest of a
    configuration and an image's name counts. `answer` is the answer of turn 1 where there are two, `text` the last
    answer. `calls.odds`: how probable the words that were asked about were as the answer's first, as JSON.
    """
    database.executescript("""
        CREATE TABLE prediction_sets (
            configuration TEXT PRIMARY KEY, task TEXT NOT NULL, model TEXT NOT NULL, settings TEXT NOT NULL,
            created TEXT NOT NULL);
        ALTER TABLE predictions ADD COLUMN configuration TEXT;
        ALTER TABLE predictions ADD COLUMN status TEXT NOT NULL DEFAULT 'ok'
            CHECK (status IN ('ok', 'partial', 'failed'));
        ALTER TABLE predictions ADD COLUMN error TEXT;
        ALTER TABLE predictions ADD COLUMN message TEXT;
        ALTER TABLE predictions ADD COLUMN answer TEXT;
        ALTER TABLE predictions ADD COLUMN p_yes REAL;
        ALTER TABLE predictions ADD COLUMN description TEXT;
        ALTER TABLE predictions ADD COLUMN slot INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX predictions_by_image ON predictions(configuration, image);
        CREATE INDEX predictions_by_content ON predictions(configuration, sha256);
        ALTER TABLE calls ADD COLUMN odds TEXT;
    """)
