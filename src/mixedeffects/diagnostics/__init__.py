"""Checks of a fit: leverage, influence, and the fit beside simpler models of the same data."""
