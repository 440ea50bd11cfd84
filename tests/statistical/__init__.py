"""Monte Carlo checks of the inference: size of tests, coverage of intervals, bias of estimates."""
