"""Is it any good: patches, merging, running tests, reading results, verdicts."""
