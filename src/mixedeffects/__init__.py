"""Mixed-effects models: lme4's formulas and answers from a compiled core with exact derivatives."""
