"""The tables of a ledger in Postgres, and the statements on them. Times are the server's: clocks may differ."""

from psycopg import sql

from anomagent.store.call_rows import COLUMNS

TABLES = sql.SQL("""
    SELECT pg_advisory_xact_lock(7306357456645743973);
    CREATE TABLE IF NOT EXISTS anomagent_calls (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, record uuid NOT NULL UNIQUE,
        key text NOT NULL, role text NOT NULL, step text NOT NULL, object text,
        slot integer NOT NULL, model text NOT NULL, image_sha256 text NOT NULL, prompt text NOT NULL,
        status text NOT NULL CHECK (status IN ('good', 'bad', 'spare')), error text, text text NOT NULL, odds text,
        finish_reason text NOT NULL, input_tokens bigint NOT NULL, cached_input_tokens bigint NOT NULL,
        output_tokens bigint NOT NULL, usd double precision, seconds double precision NOT NULL,
        created timestamptz NOT NULL DEFAULT now(),
        client text NOT NULL DEFAULT current_setting('application_name'));
    DO $$ BEGIN
        IF NOT EXISTS (
            SELECT FROM information_schema.columns WHERE table_schema = current_schema()
            AND table_name = 'anomagent_calls' AND column_name = 'odds')
        THEN ALTER TABLE anomagent_calls ADD COLUMN odds text; END IF;
    END $$;
    CREATE INDEX IF NOT EXISTS anomagent_calls_by_key ON anomagent_calls (key);
    CREATE UNIQUE INDEX IF NOT EXISTS anomagent_calls_good ON anomagent_calls (key) WHERE status = 'good';
    CREATE INDEX IF NOT EXISTS anomagent_calls_by_worker ON anomagent_calls (client)
        INCLUDE (input_tokens, cached_input_tokens, output_tokens, usd) WHERE client LIKE 'anomagent-%';
    CREATE TABLE IF NOT EXISTS anomagent_claims (
        key text PRIMARY KEY, owner bigint NOT NULL, expires timestamptz NOT NULL);
    CREATE INDEX IF NOT EXISTS anomagent_claims_by_owner ON anomagent_claims (owner);
    CREATE TABLE IF NOT EXISTS anomagent_budgets (
        batch text PRIMARY KEY, usd double precision NOT NULL, taken double precision NOT NULL DEFAULT 0);
    CREATE TABLE IF NOT EXISTS anomagent_grants (
        worker text PRIMARY KEY, batch text NOT NULL REFERENCES anomagent_budgets ON DELETE CASCADE,
        life integer NOT NULL DEFAULT 0, usd double precision NOT NULL DEFAULT 0,
        back double precision NOT NULL DEFAULT 0);
""")
"""All of the schema, made by whoever comes first. The lock's number is our own; it is held until the end.

`odds` came later: the table is changed, and locked for it, only where it lacks the column.
"""

_LIST = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
_VALUES = sql.SQL(", ").join(sql.Placeholder(column) for column in COLUMNS)
_SPARE = sql.SQL(", ").join(sql.SQL("'spare'") if column == "status" else sql.Placeholder(column) for column in COLUMNS)

GOOD = sql.SQL("SELECT {} FROM anomagent_calls WHERE key = %s AND status = 'good'").format(_LIST)

CALLS = sql.SQL("SELECT {}, created FROM anomagent_calls WHERE key = ANY(%s) ORDER BY id").format(_LIST)

KNOWN = sql.SQL("SELECT key FROM anomagent_calls WHERE key = ANY(%s) AND status = 'good'")

SEED = sql.SQL("""
    INSERT INTO anomagent_calls (record, created, {}) VALUES (%(record)s, %(created)s, {}) ON CONFLICT DO NOTHING
""").format(_LIST, _VALUES)

CLAIM = sql.SQL("""
    INSERT INTO anomagent_claims AS held (key, owner, expires)
    SELECT %(key)s, %(owner)s, now() + %(lease)s * interval '1 second'
    WHERE NOT EXISTS (SELECT FROM anomagent_calls WHERE key = %(key)s AND status = 'good')
    ON CONFLICT (key) DO UPDATE SET owner = excluded.owner, expires = excluded.expires 
    WHERE held.expires <= now() OR held.owner = excluded.owner
    RETURNING key
""")
"""Gives a row where the claim is ours now: it was free, or its lease had run out. May be repeated by its owner."""

DOUBT = sql.SQL("""
    UPDATE anomagent_claims SET expires = now() + %(grace)s * interval '1 second'
    WHERE key = %(key)s AND expires > now() + %(grace)s * interval '1 second' AND pg_try_advisory_xact_lock(owner)
""")
"""Shortens the lease of a claim whose owner's session has ended: only then can its lock be had by others."""

RENEW = sql.SQL("""
    UPDATE anomagent_claims SET expires = now() + %s * interval '1 second' WHERE owner = %s AND key = ANY(%s)
""")
"""A claim that was given up without the server hearing of it runs out."""

RELEASE = sql.SQL("DELETE FROM anomagent_claims WHERE key = %s AND owner = %s")

RELEASE_ALL = sql.SQL("DELETE FROM anomagent_claims WHERE owner = %s")

FORGET_EXPIRED = sql.SQL("DELETE FROM anomagent_claims WHERE expires <= now()")

RECORD = sql.SQL("""
    WITH kept AS (
        INSERT INTO anomagent_calls (record, {columns}) VALUES (%(record)s, {values})
        ON CONFLICT DO NOTHING RETURNING id
    ), spare AS (
        INSERT INTO anomagent_calls (record, {columns}) SELECT %(record)s, {spare}
        WHERE NOT EXISTS (SELECT FROM kept) ON CONFLICT DO NOTHING
    )
    DELETE FROM anomagent_claims WHERE key = %(key)s AND owner = %(owner)s AND %(status)s = 'good'
""").format(columns=_LIST, values=_VALUES, spare=_SPARE)
"""One statement, so that it is all or nothing, and may be repeated: a record that is there is not written again."""
