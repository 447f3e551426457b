"""Train on teams: live episodes whose members' models are behind the trainer's own endpoints.

from cooperbench.training import Endpoint, rollout

policy = Endpoint("http://localhost:8000/v1", model="policy")
result = rollout("shelfdb_task/1", (1, 2), {"agent1": policy, "agent2": policy}, rewards={"all": 1.0, "difference": 0.5})
result.rewards
"""

from cooperbench.training.endpoint import Endpoint
from cooperbench.training.rewards import RewardPart
from cooperbench.training.rollouts import rollout, rollout_async
from cooperbench.training.services import close
from cooperbench.training.team_rollout import MemberRollout, TeamRollout

__all__ = ["Endpoint", "MemberRollout", "RewardPart", "TeamRollout", "close", "rollout", "rollout_async"]
