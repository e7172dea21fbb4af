"""One short pass through the page in a real browser; what is long is in the other tests of the page."""

from tests.review.browser import People, Site, chromium, people, site

__all__ = ["chromium", "people", "site"]


def test_a_person_signs_in_and_answers_by_one_key(people: People, site: Site) -> None:
    ada = people.come(site)
    ada.sign_in()
    first = ada.answer("a")
    ada.sent()
    (answer,) = site.answers()
    assert (answer.anomaly, answer.annotator, answer.verdict) == (first, "Ada", "ACCEPT")
    assert answer.seconds is not None
    assert 0 < answer.seconds < 60
