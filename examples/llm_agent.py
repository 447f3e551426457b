"""Ask a model through LiteLLM and run the ```bash blocks of its answers. LiteLLM computes the cost.

COOPERBENCH_EXTERNAL_AGENTS=llm_agent cooperbench run --agent llm_agent -m gpt-4o --agent-config config/my_agent.yaml -s demo
"""

import re

from litellm import completion

from cooperbench.agents import AgentResult
from cooperbench.agents.registry import register


@register("llm_agent")
class LLMAgent:
    """Runs the commands in the model's answers until it says DONE."""

    def run(self, task, image, *, model_name="gpt-4o", config=None, **kwargs):
        from cooperbench.agents.mini_swe_agent.environments.modal import ModalEnvironment

        settings = (config or {}).get("agent", {})
        env = ModalEnvironment(image=image, cwd="/workspace/repo", timeout=3600)
        messages = [
            {"role": "system", "content": settings.get("system_prompt", "You are a software engineer.")},
            {"role": "user", "content": f"Implement this:\n\n{task}"},
        ]
        total_cost, steps, status, error, patch = 0.0, 0, "LimitsExceeded", None, ""
        try:
            base = env.execute("git rev-parse HEAD").get("output").strip()
            for _ in range(settings.get("max_iterations", 10)):
                response = completion(model=model_name, messages=messages, temperature=settings.get("temperature", 0.2))
                total_cost += response._hidden_params.get("response_cost") or 0.0
                steps += 1
                content = response.choices[0].message.content
                messages.append({"role": "assistant", "content": content})
                outputs = [
                    env.execute(command)["output"] for command in re.findall(r"```bash\n(.*?)```", content, re.S)
                ]
                if "DONE" in content:
                    status = "Submitted"
                    break
                messages.append({"role": "user", "content": "\n".join(outputs) or "Write commands in ```bash blocks."})
            patch = env.execute(f"git diff {base}").get("output").strip()
        except Exception as failure:
            status, error = "Error", str(failure)
        finally:
            env.cleanup()
        return AgentResult(status=status, patch=patch, cost=total_cost, steps=steps, messages=messages, error=error)
