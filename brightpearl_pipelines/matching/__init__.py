"""Finds which records are the same customer. Pure: no I/O; the caller looks the keys up."""

from brightpearl_pipelines.matching.customers import Candidate, Match, MatchKey, choose, match_keys

__all__ = ["Candidate", "Match", "MatchKey", "choose", "match_keys"]
