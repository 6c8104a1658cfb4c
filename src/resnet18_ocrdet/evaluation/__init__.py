"""Matching, scores, confidence intervals, calibration."""
