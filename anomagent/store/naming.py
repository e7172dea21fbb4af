"""What images are called, as a part of other queries."""

from typing import Final

CALLED: Final = """
    names AS (
        SELECT sha256, name FROM sources UNION ALL
        SELECT sha256, name FROM image_names
        WHERE sha256 NOT IN (SELECT sha256 FROM sources) AND name != '<image>'),
    called AS (SELECT sha256, json_group_array(DISTINCT name) AS names FROM names GROUP BY sha256)"""
"""`called`: the names of each content as a JSON array, as its sources have them; of one that no manifest or folder
brought, as it was analysed. One that came without a name has none."""
