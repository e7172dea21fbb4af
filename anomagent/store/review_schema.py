"""The part of the schema that holds what people said of candidates, and what follows from it."""

from sqlite_utils.db import Database


def m006_answers(database: Database) -> None:
    """Answers have an id of their own, can be withdrawn, and have a capacity; views say what stands and what follows.

    `verdicts`: the newest answer of each person about each candidate, without those that were withdrawn.
    `decisions`: of each candidate with a standing answer: the newest adjudicator's answer, else what more annotators
    accept or reject, else UNSURE (a tie, or nobody is sure). Both look up one candidate after the other in
    the index: few are found at once, all in one pass.
    `anomaly_kinds`: kinds that rules read off the texts, kept because that takes minutes for 100,000 of them; may be
    emptied at any time.
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
            SELECT * FROM reviews r
            WHERE verdict != 'WITHDRAWN' AND NOT EXISTS (
                SELECT 1 FROM reviews WHERE anomaly_id = r.anomaly_id AND annotator = r.annotator AND id > r.id);
        CREATE VIEW decisions AS
            SELECT v.anomaly_id, coalesce(
                       a.verdict,
                       CASE WHEN accepts > rejects THEN 'ACCEPT' WHEN rejects > accepts THEN 'REJECT' END,
                       'UNSURE') AS verdict,
                   accepts, rejects, unsures, a.verdict AS adjudicated
            FROM (
                SELECT anomaly_id,
                       sum(capacity = 'annotator' AND verdict = 'ACCEPT') AS accepts,
                       sum(capacity = 'annotator' AND verdict = 'REJECT') AS rejects,
                       sum(capacity = 'annotator' AND verdict = 'UNSURE') AS unsures,
                       max(CASE capacity WHEN 'adjudicator' THEN id END) AS adjudication
                FROM verdicts GROUP BY anomaly_id) v
            LEFT JOIN reviews a ON a.id = v.adjudication;
        CREATE TABLE anomaly_kinds (
            anomaly_id INTEGER PRIMARY KEY REFERENCES anomalies(id), rules TEXT NOT NULL, kind TEXT NOT NULL);
    """)
