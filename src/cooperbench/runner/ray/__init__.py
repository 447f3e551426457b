"""Run on a Ray cluster: a claimant on each node, and a driver that follows the record. `docs/design/ray.md` says why.

running.py       checks and connects, then drives: `execute_on_ray`
driver.py        has claimants begin and end, and shows the record
cluster.py       the cluster, and an actor on each node; alone imports Ray
node.py          what an actor does: starts the claimant's process and passes on what it says
claimant.py      the process that works on the run, as `cooperbench run --claim` does
"""
