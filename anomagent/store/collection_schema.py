"""The part of the schema that holds how a data set came to be: where images come from, which stay, on which side."""

from sqlite_utils.db import Database


def m007_collection(database: Database) -> None:
    """Steps, what they did with which image, and what they measured. Rows of steps are appended, never changed.

    `dataset_steps`: one row for each time a step was run. `sources`: what a manifest says of an image, by the name
    under which it came, and when it said so of source and prompt, in microseconds; view `image_facts`: of each image
    the source and the prompt that were said last, under whatever name. `left_out`: files that never became images.
    `selections`: which images a step keeps; the newest row of an image and a step's name counts. `image_scores` and
    `fingerprints`: measured once. `duplicates`: groups as they were found. `splits`: on which side an image is, for
    good. `object_boxes`: in pixels of the upright image.
    """
    database.executescript("""
        CREATE TABLE dataset_steps (
            id INTEGER PRIMARY KEY, step TEXT NOT NULL, settings TEXT NOT NULL, started TEXT NOT NULL, finished TEXT,
            result TEXT);
        CREATE TABLE sources (
            sha256 TEXT NOT NULL REFERENCES images(sha256), name TEXT NOT NULL, path TEXT, prompt TEXT, source TEXT,
            entry TEXT, step INTEGER REFERENCES dataset_steps(id), created TEXT NOT NULL, source_said TEXT,
            prompt_said TEXT, PRIMARY KEY (sha256, name));
        CREATE TABLE left_out (
            id INTEGER PRIMARY KEY, step INTEGER NOT NULL REFERENCES dataset_steps(id), name TEXT NOT NULL,
            reason TEXT NOT NULL, message TEXT NOT NULL);
        CREATE INDEX left_out_by_step ON left_out(step);
        CREATE TABLE selections (
            id INTEGER PRIMARY KEY, step INTEGER NOT NULL REFERENCES dataset_steps(id),
            stage TEXT NOT NULL CHECK (stage IN ('ingest', 'filter', 'dedupe')),
            sha256 TEXT NOT NULL REFERENCES images(sha256), kept INTEGER NOT NULL CHECK (kept IN (0, 1)),
            reason TEXT);
        CREATE INDEX selections_by_image ON selections(sha256, stage);
        CREATE TABLE image_scores (
            sha256 TEXT NOT NULL REFERENCES images(sha256), score TEXT NOT NULL, model TEXT NOT NULL,
            subject TEXT NOT NULL DEFAULT '', value REAL NOT NULL, created TEXT NOT NULL,
            PRIMARY KEY (sha256, score, model, subject));
        CREATE TABLE fingerprints (
            sha256 TEXT NOT NULL REFERENCES images(sha256), method TEXT NOT NULL, value BLOB NOT NULL,
            PRIMARY KEY (sha256, method)) WITHOUT ROWID;
        CREATE TABLE duplicates (
            step INTEGER NOT NULL REFERENCES dataset_steps(id), position INTEGER NOT NULL,
            sha256 TEXT NOT NULL REFERENCES images(sha256), kept INTEGER NOT NULL CHECK (kept IN (0, 1)),
            method TEXT NOT NULL, distance REAL, PRIMARY KEY (step, position, sha256));
        CREATE TABLE splits (
            split TEXT NOT NULL, sha256 TEXT NOT NULL REFERENCES images(sha256), part TEXT NOT NULL,
            because TEXT NOT NULL CHECK (because IN ('hash', 'group', 'file')),
            step INTEGER NOT NULL REFERENCES dataset_steps(id), PRIMARY KEY (split, sha256)) WITHOUT ROWID;
        CREATE TABLE object_boxes (
            sha256 TEXT NOT NULL REFERENCES images(sha256), object TEXT NOT NULL, x0 REAL NOT NULL, y0 REAL NOT NULL,
            x1 REAL NOT NULL, y1 REAL NOT NULL, PRIMARY KEY (sha256, object));
        CREATE VIEW image_facts AS
            SELECT sha256,
                   (SELECT source FROM sources s WHERE s.sha256 = images.sha256 AND source IS NOT NULL
                    ORDER BY coalesce(source_said, created) DESC, rowid DESC LIMIT 1) AS source,
                   (SELECT prompt FROM sources s WHERE s.sha256 = images.sha256 AND prompt IS NOT NULL
                    ORDER BY coalesce(prompt_said, created) DESC, rowid DESC LIMIT 1) AS prompt
            FROM images;
        CREATE VIEW dropped_images AS
            SELECT sha256, stage, reason, step FROM selections
            WHERE id IN (SELECT max(id) FROM selections GROUP BY sha256, stage) AND NOT kept;
        CREATE VIEW kept_images AS
            SELECT * FROM images WHERE sha256 NOT IN (SELECT sha256 FROM dropped_images);
    """)
