"""Inference from a fit: functions of a fit that return plain values and never change it."""
