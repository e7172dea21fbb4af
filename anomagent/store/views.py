"""Views for people and scripts that read the database with SQL or datasette."""

from sqlite_utils.db import Database


def m005_views(database: Database) -> None:
    """The agents' statements, newest analyses, anomalies, verdicts, costs, and `results`: what `run --json` prints."""
    database.executescript("""
        CREATE VIEW statements AS
            SELECT f.id, f.analysis_id, a.image, f.role, f.kind, p.slot, coalesce(
                       r.name, json_extract(f.item, '$.object'), json_extract(f.item, '$.objects[0]'),
                       json_extract(f.item, '$.name')) AS object, f.phenomenon, f.explanation
            FROM findings f JOIN analyses a ON a.id = f.analysis_id
            LEFT JOIN reports r ON r.analysis_id = f.analysis_id AND r.position = f.report
            LEFT JOIN passes p ON p.analysis_id = f.analysis_id AND p.position = f.pass;
        CREATE VIEW latest_analyses AS
            SELECT * FROM analyses WHERE id IN (
                SELECT max(id) FROM analyses WHERE status != 'running' GROUP BY sha256);
        CREATE VIEW reported_anomalies AS
            SELECT a.id AS analysis_id, a.run_id, a.image, a.sha256, a.schedule, n.id AS anomaly_id, n.position,
                   n.name, n.phenomenon, n.reasoning, n.severity, n.objects, n.support
            FROM anomalies n JOIN analyses a ON a.id = n.analysis_id;
        CREATE VIEW verdicts AS
            SELECT * FROM reviews WHERE id IN (SELECT max(id) FROM reviews GROUP BY anomaly_id, annotator);
        CREATE VIEW costs AS
            SELECT model, role, step, count(*) AS requests, sum(status = 'good') AS good, sum(status = 'bad') AS bad,
                   sum(input_tokens) AS input_tokens, sum(cached_input_tokens) AS cached_input_tokens,
                   sum(output_tokens) AS output_tokens, sum(usd) AS usd, sum(seconds) AS seconds
            FROM calls GROUP BY model, role, step;
        CREATE VIEW results AS
            SELECT a.id AS analysis_id, a.run_id, json_object(
                'image', a.image, 'sha256', a.sha256, 'status', a.status, 'schedule', a.schedule,
                'anomalies', (
                    SELECT json_group_array(json_object(
                        'name', name, 'phenomenon', phenomenon, 'reasoning', reasoning, 'severity', severity,
                        'objects', json(objects), 'support', support))
                    FROM (SELECT * FROM anomalies WHERE analysis_id = a.id ORDER BY position)),
                'failures', (
                    SELECT json_group_array(json_object(
                        'role', role, 'object', object, 'error', error, 'message', message))
                    FROM (SELECT * FROM failures WHERE analysis_id = a.id ORDER BY position)),
                'usage', json_object(
                    'calls', a.calls, 'ledger_hits', a.ledger_hits, 'input_tokens', a.input_tokens,
                    'cached_input_tokens', a.cached_input_tokens, 'output_tokens', a.output_tokens, 'usd', a.usd),
                'seconds', round(a.seconds, 3)) AS result
            FROM analyses a WHERE a.status != 'running';
    """)
