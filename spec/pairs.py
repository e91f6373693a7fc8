"""A ranked list as the pairs that preference training learns from.

Every pair of places, the better one chosen, best first: (1, 2), (1, 3), (2, 3). All pairs and not only neighbours,
because that is how ranked answers are trained on since InstructGPT (Ouyang et al. 2022, arXiv 2203.02155, 3.5), which
also keeps the pairs of one prompt together: they are not independent. All pairs of a list therefore carry one group,
so that a split puts them on one side, whether they are made before it or after.
"""

from __future__ import annotations

from itertools import combinations

from ftc.spec.rows import Pair, Ranking


def pairs_of(row: Ranking) -> tuple[Pair, ...]:
    """The pairs, from the best answer down; two answers that say the same make none.

    The group is that of the list, or its place where it has none.
    """
    return tuple(
        Pair(prompt=row.prompt, chosen=better, rejected=worse, place=row.place, group=row.group or row.place)
        for better, worse in combinations(row.answers, 2)
        if better.strip() != worse.strip()
    )
