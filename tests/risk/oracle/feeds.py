"""Feeds that behave by a known rule, played second by second as Chainlink describes it."""

import numpy as np

from protocols.prices.state import Round

P = 1 << 64


def played(
    *,
    heartbeat_s: int,
    deviation: float,
    days: float,
    seed: int,
    sigma_daily: float = 0.04,
    jitter_s: int = 25,
    tick_s: int = 12,
) -> list[Round]:
    """Return the rounds of a feed over a random walk: one price a tick, answers a bit late."""
    rng = np.random.default_rng(seed)
    steps = int(days * 86_400 / tick_s)
    walk = 3_000 * np.exp(np.cumsum(rng.normal(0, sigma_daily * (tick_s / 86_400) ** 0.5, steps)))
    late = rng.integers(0, jitter_s + 1, steps)
    begin = 1_700_000_000
    rounds = [Round(P + 1, int(walk[0] * 1e8), begin)]
    busy_until = 0
    for i, price in enumerate(walk):
        now = begin + i * tick_s
        last = rounds[-1]
        if now < busy_until:
            continue
        moved = abs(price * 1e8 / last.answer - 1) >= deviation
        if moved or now - last.updated_at >= heartbeat_s:
            busy_until = now + int(late[i])
            time = max(busy_until, last.updated_at + 1)
            rounds.append(Round(last.id + 1, int(price * 1e8), time))
    return rounds
