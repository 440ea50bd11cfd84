"""Rows -> cross-products: the only pass over the data of a Gaussian fit."""

from __future__ import annotations

from mixedeffects.crossproducts.layout import Layout
from mixedeffects.crossproducts.products import Basis, CrossProducts, basis, cross_products, row_arguments

__all__ = ["Basis", "CrossProducts", "Layout", "basis", "cross_products", "row_arguments"]
