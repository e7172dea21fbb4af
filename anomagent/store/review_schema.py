"""The part of the schema that holds what people said of candidates, and what follows from it."""

from sqlite_utils.db import Database


def m006_answers(database: Database) -> None:
    """Answers have an id of their own, can be withdrawn, and have a capacity; views say what stands and what follows.

    `verdicts`: the newest answer of each person about each candidate, without those that were withdrawn.
    `decisions`: of each candidate with a standing answer: the newest adjudicator's answer, else what more annotators
    accept or reject, else UNSURE (a tie, or nobody is sure).
    """
    database.executescript("""
        DROP VIEW verdicts;
        DROP INDEX reviews_by_anomaly;
        ALTER TABLE reviews RENAME TO old_reviews;
        CREATE TABLE reviews (
            id INTEGER PRIMARY KEY, answer TEXT NOT NULL UNIQUE,
            anomaly_id INTEGER NOT NULL REFERENCES anomalies(id), annotator TEXT NOT NULL,
            capacity TEXT NOT NULL CHECK (capacity IN ('annotator', 'adjudicator')),
            verdict TEXT NOT NULL CHECK (verdict IN ('ACCEPT', 'REJECT', 'UNSURE', 'WITHDRAWN')),
            reason TEXT, note TEXT, seconds REAL, created TEXT NOT NULL);
        INSERT INTO reviews
            SELECT id, 'before-' || id, anomaly_id, annotator, 'annotator', verdict, reason, note, seconds, created
            FROM old_reviews;
        DROP TABLE old_reviews;
        CREATE INDEX reviews_by_anomaly ON reviews(anomaly_id, annotator);
        CREATE VIEW verdicts AS
            SELECT * FROM reviews
            WHERE id IN (SELECT max(id) FROM reviews GROUP BY anomaly_id, annotator) AND verdict != 'WITHDRAWN';
        CREATE VIEW decisions AS
            SELECT anomaly_id, coalesce(
                       adjudicated,
                       CASE WHEN accepts > rejects THEN 'ACCEPT' WHEN rejects > accepts THEN 'REJECT' END,
                       'UNSURE') AS verdict,
                   accepts, rejects, unsures, adjudicated
            FROM (
                SELECT v.anomaly_id,
                       sum(v.capacity = 'annotator' AND v.verdict = 'ACCEPT') AS accepts,
                       sum(v.capacity = 'annotator' AND v.verdict = 'REJECT') AS rejects,
                       sum(v.capacity = 'annotator' AND v.verdict = 'UNSURE') AS unsures,
                       (SELECT a.verdict FROM verdicts a
                        WHERE a.anomaly_id = v.anomaly_id AND a.capacity = 'adjudicator'
                        ORDER BY a.id DESC LIMIT 1) AS adjudicated
                FROM verdicts v GROUP BY v.anomaly_id);
    """)
