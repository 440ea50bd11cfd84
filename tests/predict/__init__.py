"""Tests of the predict layer, with a dense reference of their own."""
