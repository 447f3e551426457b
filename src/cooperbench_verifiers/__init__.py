"""The name by which `verifiers` finds CooperBench: `vf-eval cooperbench-verifiers`, or `env.taskset.id = "cooperbench-verifiers"`."""

from cooperbench.training.verifiers_env import CoopEnv, MemberHarness
from cooperbench.training.verifiers_tasks import CoopTaskset

__all__ = ["CoopEnv", "CoopTaskset", "MemberHarness"]
