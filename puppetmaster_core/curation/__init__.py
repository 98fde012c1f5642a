"""Curation (§4, "Identifying animations"): which animations are worth learning from. The authors published none of theirs."""

from puppetmaster_core.curation.metrics import motion_metrics

__all__ = ["motion_metrics"]
