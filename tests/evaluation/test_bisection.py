"""The hunks that break a teammate's feature."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cooperbench.errors import UsageError
from cooperbench.evaluation import EvaluationSettings, make_submission
from cooperbench.evaluation.bisection import find_breaking_hunks, minimize
from cooperbench.evaluation.substitution import substitute_gold
from cooperbench.records import EvaluationChoices, Outcome
from cooperbench.tasks import Task


@given(st.integers(1, 24), st.data())
def test_no_single_hunk_of_the_answer_can_be_spared(count: int, data: st.DataObject) -> None:
    guilty = data.draw(st.sets(st.integers(0, count - 1), min_size=1))
    found = minimize(range(count), lambda removed: guilty <= set(removed))
    assert set(found) == guilty


@given(st.integers(1, 16), st.data())
def test_one_of_several_answers_is_found(count: int, data: st.DataObject) -> None:
    answers = data.draw(st.lists(st.sets(st.integers(0, count - 1), min_size=1), min_size=1, max_size=3))

    def holds(removed: object) -> bool:
        return any(answer <= set(removed) for answer in answers)  # type: ignore[call-overload]

    found = set(minimize(range(count), holds))
    assert holds(found)
    assert not any(holds(found - {item}) for item in found)


SETTINGS = EvaluationSettings(choices=EvaluationChoices(falsify="off"))
BREAKING = b"""diff --git a/src/shelfdb/errors.py b/src/shelfdb/errors.py
index c5d9f67..24e1763 100644
--- a/src/shelfdb/errors.py
+++ b/src/shelfdb/errors.py
@@ -1,11 +1,11 @@
-\"\"\"The errors that shelfdb raises on purpose.\"\"\"
+\"\"\"The errors of shelfdb.\"\"\"


 class ShelfError(Exception):
     \"\"\"The base of all of them.\"\"\"


-class QueryError(ShelfError):
+class QueryError(Exception):
     \"\"\"A query that makes no sense: an unknown operator, or an operand of the wrong kind.\"\"\"


@@ -14,7 +14,7 @@ class UpdateError(ShelfError):


 class DuplicateKey(ShelfError):
-    \"\"\"A second document with the same id.\"\"\"
+    \"\"\"Another document with the same id.\"\"\"


 class NotFound(ShelfError):
"""
"""A change that breaks the feature, between two that do not."""


@pytest.mark.slow  # about six suites
@pytest.mark.needs("sandbox")
def test_the_hunk_that_breaks_a_feature_is_found_with_its_author(shelfdb: Task) -> None:
    gold, breaking = shelfdb.features[1].gold_patch, BREAKING
    submissions = [(make_submission("agent1", (1,), gold), gold), (make_submission("agent2", (3,), breaking), breaking)]
    found = find_breaking_hunks(shelfdb, (1, 3), submissions, 1, SETTINGS)
    assert [(hunk.path, hunk.authors) for hunk in found.hunks] == [("src/shelfdb/errors.py", ("agent2",))]
    assert "+class QueryError(Exception):" in found.hunks[0].patch
    assert (found.candidates, found.complete, found.stage) == (3, True, "naive")
    assert find_breaking_hunks(shelfdb, (1, 3), submissions, 1, SETTINGS) == found  # from the cache
    halves = substitute_gold(shelfdb, (1, 3), submissions, SETTINGS)
    assert [half.outcome is Outcome.PASSED for half in halves] == [True, False]


def test_there_is_nothing_to_search_without_a_teammate(shelfdb: Task) -> None:
    gold = shelfdb.features[1].gold_patch
    with pytest.raises(UsageError, match="no teammate's work"):
        find_breaking_hunks(shelfdb, (1,), [(make_submission("agent1", (1,), gold), gold)], 1, SETTINGS)
