from __future__ import annotations

from anomagent.prompts import scene_scanner


def test_scans_are_varied_and_start_again() -> None:
    texts = [scene_scanner.render_scan(slot).text for slot in range(9)]
    assert len(set(texts[:3])) == 3
    assert texts[3:6] == texts[:3]
