"""Results that others can check: bundles of runs, their verification by judging the patches again, and leaderboards of them."""
