"""The statistics of comparisons of policies: against published figures, scipy, scikit-learn, and simulated truth."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, stats
from simulated_policies import NAMES, answer_groups, davidson_chances, simulated
from sklearn.linear_model import LogisticRegression

from labeler.errors import DataError, UsageError
from labeler.records import Completion, Group, Message, Ranking
from reward.policies.answers import Source, gather, parse_source
from reward.policies.davidson import fit, strengths
from reward.policies.duels import pairs_of, people_tallies, score_tallies, win_rates
from reward.policies.judges import by_people
from reward.policies.lengths import characters, controlled, logistic
from reward.policies.measures import complement, difference, mean_of, measure_of, rate_of, wilson
from reward.policies.opinions import FLAGS, canonical, flag_rates, ratings
from reward.policies.steps import Step, duel_steps, measure_steps, partings

PUDDINGS = (
    "1 2 19 22 16  1 3 16 19 12  2 3 19 19 10  1 4 18 23 13  2 4 23 19 9  3 4 19 20 15  1 5 13 19 18  2 5 16 20 12  "
    "3 5 16 15 17  4 5 17 14 16  1 6 18 21 12  2 6 22 20 12  3 6 13 18 10  4 6 14 19 18  5 6 11 21 12"
)
"""Davidson (1970), example: six brands of chocolate pudding; i, j, preferences for i, for j, for neither."""
THETA = (-1.0, 0.0, 0.2, 0.8)


def pudding_sums():
    sums = np.zeros((1, 15, 3))
    for i, j, wins, losses, ties in np.array(PUDDINGS.split(), dtype=int).reshape(-1, 5):
        sums[0, pairs_of(6).index((i - 1, j - 1))] = wins, ties, losses
    return sums


def test_the_published_example_of_davidson():
    found = fit(pudding_sums(), 6)[0]
    worth = np.exp(found[:6]) / np.exp(found[:6]).sum()
    # as Davidson's algorithm gives them in the documentation of the R package PlackettLuce
    assert worth == pytest.approx([0.1388005, 0.1729985, 0.1617420, 0.1653930, 0.1586805, 0.2023855], abs=2e-4)
    assert np.exp(found[6]) == pytest.approx(0.7468147, abs=2e-4)


def test_scores_are_the_maximum_that_a_general_optimiser_finds():
    rng = np.random.default_rng(3)
    sums = rng.integers(1, 30, size=(2, 6, 3)).astype(float)

    def loss(parameters, counts):
        theta, nu = [0.0, *parameters[:3]], np.exp(parameters[3])
        return -sum(counts[pair] @ np.log(davidson_chances(theta, nu, i, j)) for pair, (i, j) in enumerate(pairs_of(4)))

    for row, counts in zip(fit(sums, 4, prior_sd=np.inf), sums, strict=True):
        best = optimize.minimize(loss, np.zeros(4), args=(counts,), tol=1e-12).x
        theta = np.array([0.0, *best[:3]])
        assert row[:4] == pytest.approx(theta - theta.mean(), abs=1e-4)
        assert row[4] == pytest.approx(best[3], abs=1e-4)


def test_known_win_rates_and_scores_are_found_again():
    answers = simulated(1500, THETA, nu=0.5)
    tallies = people_tallies(answers)
    for win in win_rates(tallies, NAMES):
        i, j = NAMES.index(win.policy), NAMES.index(win.against)
        chances = davidson_chances(THETA, 0.5, i, j)
        assert win.rate.value == pytest.approx(chances[0] + chances[1] / 2, abs=0.035)
        assert win.ties == pytest.approx(chances[1], abs=0.035)
        assert (win.judgments, win.rate.prompts) == (1500, 1500)
    centred = np.subtract(THETA, np.mean(THETA))
    for score, truth in zip(strengths(tallies, NAMES), centred, strict=True):
        assert score.score == pytest.approx(truth, abs=0.08)
        assert score.score_ci95[0] < score.score < score.score_ci95[1]


def test_intervals_cover_the_truth_as_often_as_they_say():
    chances = davidson_chances(THETA, 0.5, 0, 2)
    truth, covered = chances[0] + chances[1] / 2, 0
    rng = np.random.default_rng(5)
    for _ in range(400):
        tallies = rng.multinomial(1, chances, size=(40, 1)).astype(float)
        (win,) = win_rates(tallies, ("a", "b"))
        low, high = win.rate.ci95
        covered += low <= truth <= high
    assert 0.92 <= covered / 400 <= 0.98


def test_intervals_know_that_judgments_of_one_prompt_hang_together():
    rng = np.random.default_rng(6)
    alone = rng.random(40) < 0.4
    hits = alone.astype(float)
    once, ten = rate_of(hits, np.ones(40)), rate_of(10 * hits, np.full(40, 10.0))
    assert ten.ci95 == pytest.approx(once.ci95)  # ten people of one mind are worth one
    theirs = stats.binomtest(int(alone.sum()), 40).proportion_ci(method="wilson")
    assert wilson(alone.mean(), 40) == pytest.approx((theirs.low, theirs.high))
    assert once.ci95 == pytest.approx((theirs.low, theirs.high), abs=0.003)
    split = rng.binomial(10, 0.4, size=40).astype(float)
    free = rate_of(split, np.full(40, 10.0))
    theirs = stats.binomtest(int(split.sum()), 400).proportion_ci(method="wilson")
    assert free.ci95[1] - free.ci95[0] == pytest.approx(theirs.high - theirs.low, rel=0.3)


def test_where_all_agree_the_interval_still_has_a_width():
    tallies = np.zeros((20, 1, 3))
    tallies[:, 0, 0] = 1
    (win,) = win_rates(tallies, ("a", "b"))
    assert win.rate.value == 1
    assert win.rate.ci95 == pytest.approx((stats.binomtest(20, 20).proportion_ci(method="wilson").low, 1.0))
    assert [score.score_ci95 for score in strengths(tallies, ("a", "b"))] == [None, None]
    assert win.turned().turned() == win
    assert win.turned().rate.ci95[0] == pytest.approx(0)


def test_a_policy_that_nobody_compared_has_no_score():
    tallies = np.zeros((5, 3, 3))
    tallies[:, 0] = 1
    assert [score.policy for score in strengths(tallies, ("a", "b", "c"))] == ["a", "b"]
    assert strengths(np.zeros((5, 3, 3)), ("a", "b", "c")) == ()
    assert [(w.policy, w.against) for w in win_rates(tallies, ("a", "b", "c"))] == [("a", "b")]


def test_several_answers_of_a_policy_share_one_judgment():
    completions = tuple(Completion(str(k), "x", model) for k, model in enumerate("aabc"))
    ranking = Ranking("labeler-1", (1, 3, 2, None))
    group = Group("g", (Message("user", "q"),), completions, (ranking,))
    answers = gather([Source("a", None), Source("b", None)], {}, [group])
    assert people_tallies(answers)[0, 0].tolist() == [0.5, 0, 0.5]
    heavy = replace(group, rankings=(replace(ranking, weight=2.0),))
    assert people_tallies(gather([Source("a", None), Source("b", None)], {}, [heavy]))[0, 0].tolist() == [1, 0, 1]
    scores = [[[1.0, 3.0], [2.0, 3.0, float("nan")]]]
    assert score_tallies(scores)[0, 0].tolist() == [0.25, 0.25, 0.5]


def test_differences_are_taken_within_prompts():
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 10, size=50)
    measure = np.stack([hard, hard + 0.5 + rng.normal(0, 0.1, size=50)], axis=1)
    measure[0, 0] = np.nan
    change = difference(measure, 1, 0)
    assert change.prompts == 49
    low, high = change.ci95
    assert 0.4 < low < change.value < high < 0.6
    theirs = stats.ttest_rel(measure[1:, 1], measure[1:, 0]).confidence_interval()
    assert change.ci95 == pytest.approx((theirs.low, theirs.high), abs=0.01)
    assert mean_of(np.full(3, np.nan)).value is None
    assert complement(mean_of(np.full(3, np.nan))).value is None
    assert measure_of([[[1.0, 3.0], []]])[0].tolist() == pytest.approx([2.0, np.nan], nan_ok=True)


def test_steps_say_better_worse_or_not_shown():
    answers = simulated(200, (-1.0, 0.5, 0.5, -0.5))
    judge = by_people(answers, measure_of(characters(answers.texts)))
    outcomes = {(step.policy, step.figure): step.outcome for step in judge.steps}
    for figure in ("wins minus losses", "mean rating"):
        assert [outcomes[name, figure] for name in NAMES[1:]] == ["better", "not shown", "worse"]
    assert judge.rate("sft", "base").rate.value > 0.7
    assert judge.rate("base", "sft").rate.value == pytest.approx(1 - judge.rate("sft", "base").rate.value)
    assert judge.rate("base", "nobody") is None
    step = duel_steps(judge.wins, NAMES, "people")[0]
    assert step.change.value == pytest.approx(2 * judge.rate("sft", "base").rate.value - 1)


def test_a_step_may_skip_policies_and_its_interval_is_that_of_the_paired_differences():
    rng = np.random.default_rng(4)
    hard = rng.normal(0, 3, size=(200, 1))  # prompts differ far more than policies, as in a paired design
    measure = hard + rng.normal([0, 0.3, 1, 0.6], 0.2, size=(200, 4))
    steps = {(s.policy, s.before): s for s in measure_steps(measure, NAMES, "rm", "mean reward", more=[("ppo", "sft")])}
    assert list(steps) == [("sft", "base"), ("best-of-16", "sft"), ("ppo", "best-of-16"), ("ppo", "sft")]
    theirs = stats.ttest_rel(measure[:, 3], measure[:, 1])
    step = steps["ppo", "sft"]
    assert step.change.value == pytest.approx((measure[:, 3] - measure[:, 1]).mean())
    interval = theirs.confidence_interval()
    assert step.change.ci95 == pytest.approx((interval.low, interval.high), abs=0.005)
    assert [step.outcome, steps["ppo", "best-of-16"].outcome] == ["better", "worse"]
    wins = win_rates(score_tallies(measure[:, :, None].tolist()), NAMES)
    by_wins = duel_steps(wins, NAMES, "rm", more=[("ppo", "sft"), ("sft", "ppo")])
    assert by_wins[3].change.value == pytest.approx(2 * (measure[:, 3] > measure[:, 1]).mean() - 1)
    assert by_wins[4].change.value == pytest.approx(-by_wins[3].change.value)
    assert measure_steps(measure, NAMES, "rm", "x", more=[("sft", "base")]) == measure_steps(measure, NAMES, "rm", "x")


def test_partings_of_steps_to_one_policy_are_kept_apart():
    """The gold reward shares the gain over the policy before, but not that over the one before that."""
    noise = np.random.default_rng(5).normal(0, 0.1, size=(60, 1))
    proxy, gold = np.array([0.0, 1.0, 2.0]) + noise * [1, 2, 3], np.array([1.0, 0.0, 1.0]) + noise * [3, 1, 2]
    steps = [
        step
        for name, measure in (("rm", proxy), ("gold", gold))
        for step in measure_steps(measure, NAMES[:3], name, "mean reward", more=[("best-of-16", "base")])
    ]
    found = partings(steps, ["rm"], "gold", "mean reward")
    assert [(each.policy, each.before) for each in found] == [("sft", "base"), ("best-of-16", "base")]


def test_where_proxy_and_gold_part_it_is_said():
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.1, size=(60, 4))
    proxy = np.array([0.0, 1, 2, 3]) + noise
    gold = np.array([0.0, 1, 1, 0]) + noise[:, ::-1]
    steps: list[Step] = measure_steps(proxy, NAMES, "rm", "mean reward") + measure_steps(
        gold, NAMES, "other", "mean reward"
    )
    found = partings(steps, ["rm"], "other", "mean reward")
    assert [(parting.before, parting.policy) for parting in found] == [("sft", "best-of-16"), ("best-of-16", "ppo")]
    assert "does not confirm" in found[0].verdict
    assert "over-optimised" in found[1].verdict
    assert partings(steps[:3] * 2, ["rm"], "rm", "mean reward") == []


def test_length_controlled_win_rate_undoes_what_length_did():
    rng = np.random.default_rng(2)
    length = rng.integers(50, 500, size=(4000, 2)).astype(float)
    length[:, 1] += 150  # the second writes more, and the judge likes that; otherwise they are equal
    gap = length[:, 0] - length[:, 1]
    chance = 1 / (1 + np.exp(-1.5 * np.tanh(gap / gap.std())))
    won = rng.random(4000) < chance
    tallies = np.stack([won, np.zeros(4000), ~won], axis=-1)[:, None].astype(float)
    (found,) = controlled(tallies, length, ("a", "b"))
    assert found.raw < 0.42
    assert found.rate.ci95[0] < 0.5 < found.rate.ci95[1]
    assert found.length_effect == pytest.approx(1.5, abs=0.2)
    x = np.tanh(gap / gap.std())[:, None]
    theirs = LogisticRegression(C=np.inf).fit(x, won)
    assert found.length_effect == pytest.approx(theirs.coef_[0, 0], abs=0.01)
    assert controlled(tallies[:5], length[:5], ("a", "b")) == ()


def test_robust_errors_are_those_of_the_bootstrap():
    rng = np.random.default_rng(4)
    x = np.stack([np.ones(300), rng.normal(size=300)], axis=1)
    outcome = (rng.random(300) < 1 / (1 + np.exp(-x @ [0.3, 1.0]))).astype(float)
    _, covariance = logistic(x, outcome, np.ones(300))
    drawn = [logistic(x[rows], outcome[rows], np.ones(300))[0] for rows in rng.integers(0, 300, size=(400, 300))]
    assert np.sqrt(np.diag(covariance)) == pytest.approx(np.std(drawn, axis=0), rel=0.15)


def test_ratings_and_flags_are_averaged_over_people():
    completions = (Completion("0", "x", "a"), Completion("1", "y", "b"))
    rankings = (
        Ranking("labeler-1", (1, 2), ratings=(6, 2), flags=(("Hallucination",), ())),
        Ranking("labeler-2", (1, 2), ratings=(7, None), flags=((), ("gives harmful advice", "rude"))),
        Ranking("labeler-3", (1, 2)),
    )
    group = Group("g", (Message("user", "q"),), completions, rankings)
    answers = gather([], {}, [group])
    assert ratings(answers)[0].tolist() == [6.5, 2.0]
    rates = {flag.flag: [rate.value for rate in flag.rates] for flag in flag_rates(answers)}
    assert list(rates) == [*FLAGS, "rude"]
    assert len(FLAGS) == 11
    assert rates["hallucination"] == [0.5, 0.0]
    assert rates["harmful_advice"] == rates["rude"] == [0.0, 0.5]
    unflagged = Group("g", group.prompt, completions, rankings[2:])
    assert flag_rates(gather([], {}, [unflagged])) == ()


@pytest.mark.parametrize(
    ("name", "flag"),
    [
        ("fails_task", "fails_task"),
        ("Fails to follow the instruction or task", "fails_task"),
        ("Denigrates a protected class", "denigrates_class"),
        (" moral-judgment", "moral_judgment"),
        ("Too long!", "Too long!"),
    ],
)
def test_flags_are_known_however_they_are_spelt(name, flag):
    assert canonical(name) == flag


def test_answers_are_lined_up_by_prompt():
    written = answer_groups(3)
    answers = gather([Source(name, None) for name in NAMES], written, [])
    assert answers.counts() == (3, 3, 3, 3)
    assert answers.texts[1][2] == (written["best-of-16"][1].completions[0].text,)
    fewer = written | {"ppo": written["ppo"][:1]}
    assert gather([Source(name, None) for name in NAMES], fewer, []).counts() == (3, 3, 3, 1)


def test_a_model_that_two_files_claim_is_told_by_its_name_only():
    base = answer_groups(2, names=("llama",), words=(5,))["llama"]
    judged = [Group("j", base[0].prompt, (Completion("0", "x", "llama"), Completion("1", "y", "best")), ())]
    sources = [Source("base", None), Source("best", None)]
    both = gather(sources, {"base": base, "best": base}, judged)
    assert both.policy_of == {"base": 0, "best": 1}
    one = gather(sources, {"base": base, "best": answer_groups(2, names=("other",), words=(5,))["other"]}, judged)
    assert one.policy_of == {"base": 0, "best": 1, "llama": 0, "other": 1}


def test_what_cannot_be_lined_up_is_named():
    written = answer_groups(2, names=("a", "b"), words=(3, 3))
    sources = [Source("a", None), Source("b", None)]
    other = [Group("q0", (Message("user", "Another question?"),), (Completion("c", "x", "b"),))]
    with pytest.raises(DataError, match=r"'q0' is another prompt for 'a' than for 'b'"):
        gather(sources, written | {"b": other}, [])
    with pytest.raises(DataError, match="'c' has no answers"):
        gather([*sources, Source("c", None)], written, [])
    with pytest.raises(DataError, match="fewer than two"):
        gather([], {}, [])
    with pytest.raises(UsageError, match="NAME=FILE"):
        parse_source("=x")
    assert parse_source("a=b=c") == Source("a", "b=c")
