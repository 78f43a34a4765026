"""Research, step by step: outline, search, weigh, compare, reason, write.

`sources` are searched, `evidence` is what they say, `contradictions` what cannot both hold,
`claims` what follows with which confidence, `report` what is told; `preferences` is what
feedback taught.
"""

from cogwork.nodes.research.claims import Claim
from cogwork.nodes.research.contradictions import Contradiction
from cogwork.nodes.research.evidence import Depth, Evidence, Outline, SubQuestion
from cogwork.nodes.research.preferences import learn_preferences
from cogwork.nodes.research.report import Finding, Report

__all__ = [
    "Claim",
    "Contradiction",
    "Depth",
    "Evidence",
    "Finding",
    "Outline",
    "Report",
    "SubQuestion",
    "learn_preferences",
]
