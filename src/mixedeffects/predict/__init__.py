"""What a fit says about rows it may not have seen: predictions with their errors, and simulated responses."""
