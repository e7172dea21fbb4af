"""Any analysis that agents could leave behind, for property tests."""

from typing import Any

from hypothesis import strategies as st

SOME = st.integers(0, 1000)
TEXT = st.text(max_size=12)
SLOT = st.integers(0, 8)


def shape(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(fields)


def few(items: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(items, max_size=3)


SOURCE = st.sampled_from(["attributes", "relations", "scan"])
OBJECT = shape(name=TEXT, description=TEXT)
FINDING = shape(objects=few(TEXT), name=TEXT, issue=TEXT, explanation=TEXT, source=SOURCE)
REPORT = shape(
    object=OBJECT,
    attribute_observations=few(TEXT),
    attributes=few(FINDING),
    relation_observations=few(TEXT),
    relations=few(FINDING),
    report=few(shape(phenomenon=TEXT, source=st.just("both"), details=TEXT, explanation=TEXT)),
    contradictions=few(TEXT),
)
SCANNED = shape(objects=few(TEXT), phenomenon=TEXT, explanation=TEXT)
POOLED = shape(object=TEXT, phenomenon=TEXT, explanation=TEXT, sources=few(SOURCE))
CANDIDATE = shape(
    id=SOME,
    object=TEXT,
    phenomenon=TEXT,
    explanation=TEXT,
    passes=few(SLOT),
    scans=few(SLOT),
    sources=few(SOURCE),
    outcome=TEXT,
)
ANOMALY = shape(
    name=TEXT, phenomenon=TEXT, reasoning=TEXT, severity=st.integers(0, 100), objects=few(TEXT), support=SOME
)
CALL = shape(
    key=TEXT,
    role=TEXT,
    step=TEXT,
    object=st.none() | TEXT,
    slot=SLOT,
    ledger_hit=st.booleans(),
    attempts=SOME,
    input_tokens=SOME,
    cached_input_tokens=SOME,
    output_tokens=SOME,
    usd=st.none() | st.floats(0, 10),
)
LISTS = shape(
    status=st.sampled_from(["ok", "partial", "failed"]),
    models=st.dictionaries(TEXT, TEXT, max_size=2),
    perceptions=few(few(OBJECT)),
    objects=few(OBJECT),
    reports=few(REPORT),
    scans=few(shape(slot=SLOT, findings=few(SCANNED))),
    pools=few(shape(slot=SLOT, findings=few(POOLED))),
    candidates=few(CANDIDATE),
    anomalies=few(ANOMALY),
    failures=few(shape(role=TEXT, object=st.none() | TEXT, error=TEXT, message=TEXT)),
    calls=few(CALL),
)
