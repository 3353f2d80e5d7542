"""Finds which records are the same customer. Pure: no I/O; the caller looks the keys up."""

from brightpearl_pipelines.matching.customers import (
    CROWD,
    Candidate,
    Match,
    MatchKey,
    all_keys,
    choose,
    hints,
    identity,
    match_keys,
)

__all__ = ["CROWD", "Candidate", "Match", "MatchKey", "all_keys", "choose", "hints", "identity", "match_keys"]
