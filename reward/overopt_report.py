"""One self-contained page: gains of best of n and PPO against distance, by proxy and gold, and where these part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from reward.bootstrap import Floats, Interval
from reward.overoptimisation import Fit, Form, Parting, fit, mean_and_interval, part
from reward.pages import fill
from reward.plots import svg
from reward.rl_plots import Trace, gain_plot

NAMES: dict[Form, str] = {"best of n": "best of n", "rl": "PPO"}


@dataclass(frozen=True, eq=False)
class Way:
    """One way to leave the start: S points in order of distance, the first of them the start, on P prompts.

    Attributes:
        form: which kind of way.
        names: of the points.
        kl: (S) nats per completion.
        proxy, gold: (S, P) rewards in standard deviations over the start's mean.
    """

    form: Form
    names: Sequence[str]
    kl: Sequence[float]
    proxy: Floats
    gold: Floats

    @property
    def distance(self) -> Floats:
        """(S,) √KL."""
        return np.sqrt(np.array(self.kl, dtype=np.float64))

    def gains(self, gold: bool) -> Floats:
        """(S, P) rewards minus those of the start on the same prompt."""
        rewards = self.gold if gold else self.proxy
        difference: Floats = rewards - rewards[:1]
        return difference

    def fit(self, *, gold: bool) -> Fit | None:
        """The curve through the means over prompts."""
        return fit(self.form, self.distance, self.gains(gold).mean(axis=1))

    def to_json(self) -> dict[str, Any]:
        """Points with means over prompts, and fits."""
        points = [
            {
                "name": name,
                "kl": kl,
                "proxy": float(self.gains(False)[i].mean()),
                "gold": float(self.gains(True)[i].mean()),
            }
            for i, (name, kl) in enumerate(zip(self.names, self.kl, strict=True))
        ]
        fits = {name: self.fit(gold=gold) for name, gold in (("proxy", False), ("gold", True))}
        told = {name: each and asdict(each) for name, each in fits.items()}
        return {"way": NAMES[self.form], "points": points, "fits": told}


def render(ways: Sequence[Way], found: Mapping[str, Any], *, seed: int) -> tuple[str, str, list[str]]:
    """The page as one string without any outside reference, its picture, and its verdicts, one a way.

    Args:
        ways: best of n and PPO.
        found: what overopt.json says.
        seed: of the intervals.
    """
    partings = [part(way.gains(False), way.gains(True), seed=seed) for way in ways]
    lines = [verdict(way, parting) for way, parting in zip(ways, partings, strict=True)]
    plot = svg(gain_plot([trace for way in ways for trace in traces(way, seed)]))
    page = fill(
        "overopt",
        title=f"Over-optimisation: {found['run']}, gold reward {found['gold']['name']}",
        lines=list(zip(lines, (each.falls or each.unshared for each in partings), strict=True)),
        plot=plot,
        rows=[row for way in ways for row in table(way, seed)],
        fits=[(NAMES[way.form], *fit_text(way)) for way in ways],
        found=found,
    )
    return page, plot, lines


def verdict(way: Way, parting: Parting) -> str:
    """In plain words whether the gold reward followed the proxy to the last point of a way."""
    name = NAMES[way.form]
    said = (
        f"{name[0].upper()}{name[1:]} up to {way.names[-1]} ({way.kl[-1]:.1f} nats): proxy "
        f"{_change(parting.proxy, parting.proxy_ci95)}, gold {_change(parting.gold, parting.gold_ci95)}."
    )
    if parting.falls:
        return (
            f"{said} Over-optimised: since {way.names[parting.peak]} the gold reward fell "
            f"({_change(parting.gold_since_peak, parting.gold_since_peak_ci95)}) while the proxy rose "
            f"({_change(parting.proxy_since_peak, parting.proxy_since_peak_ci95)})."
        )
    if parting.unshared:
        return f"{said} Proxy and gold part: the proxy gained, a gain of the gold reward is not shown."
    return f"{said} No parting is shown."


def traces(way: Way, seed: int) -> list[Trace]:
    """The two curves of a way."""
    made = []
    for gold in (False, True):
        means = [mean_and_interval(gains, seed=seed) for gains in way.gains(gold)]
        curve, fitted = way.fit(gold=gold), None
        if curve and way.distance.max() > 0:
            line = np.linspace(way.distance.max() / 100, way.distance.max(), 100)
            fitted = line.tolist(), curve(line).tolist()
        label = f"{NAMES[way.form]}, {'gold' if gold else 'proxy'}"
        gains = [mean for mean, _ in means]
        intervals = [interval for _, interval in means]
        made.append(Trace(label, way.distance.tolist(), gains, intervals, fitted, gold, dashed=way.form == "best of n"))
    return made


def table(way: Way, seed: int) -> list[tuple[str, ...]]:
    """A row per point: way, point, KL, proxy and gold with intervals."""
    rows = []
    for i, name in enumerate(way.names):
        cells = [_change(*mean_and_interval(way.gains(gold)[i], seed=seed)) for gold in (False, True)]
        rows.append((NAMES[way.form], name, f"{way.kl[i]:.2f}", *cells))
    return rows


def fit_text(way: Way) -> tuple[str, str]:
    """The fitted curves of proxy and gold."""
    bend = "d" if way.form == "best of n" else "ln d"
    told = []
    for gold in (False, True):
        found = way.fit(gold=gold)
        if found is None:
            told.append("too few points")
        else:
            told.append(f"d ({found.alpha:.2f} {-found.beta:+.2f} {bend}), error {found.error:.2f}".replace("-", "−"))
    return told[0], told[1]


def _change(value: float, interval: Interval | None) -> str:
    span = "" if interval is None else f" ({interval[0]:+.2f} to {interval[1]:+.2f})"
    return f"{value:+.2f}{span}".replace("-", "−")
