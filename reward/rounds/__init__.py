"""``reward rounds``: the whole cycle, round after round; `reward.rounds.cycle` reads from top to bottom."""
