"""Tests of families and links."""
