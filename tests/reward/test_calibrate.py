"""What is measured after training."""

from labeler.records import Completion, Group, Message, Ranking
from reward.calibrate import compared


def ranked(name, *rankings):
    people = tuple(Ranking(f"labeler-{n}", ranks) for n, ranks in enumerate(rankings, 1))
    return Group(name, (Message("user", name),), (Completion("a", "1"), Completion("b", "2")), people)


def test_groups_that_nobody_compared_are_left_out():
    first, second = ranked("first", (1, 2)), ranked("second")
    assert [*compared([first, second])] == [first]


def test_ties_count_as_compared_beside_a_preference_but_are_nothing_to_measure_alone():
    tied, split, decided = ranked("tied", (1, 1)), ranked("split", (1, 2), (2, 1)), ranked("decided", (1, 2))
    assert [*compared([tied, decided])] == [tied, decided]
    assert [*compared([tied, split])] == []
