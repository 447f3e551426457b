"""Start a run from Python, with the agent's configuration as a dictionary."""

from cooperbench.runner import run

if __name__ == "__main__":
    result = run(
        run_name="my-experiment",
        agent="mini_swe_agent",
        model_name="gpt-4o",
        subset="demo",
        config={"agent": {"max_iterations": 30}, "model": {"temperature": 0.2}},
    )
    print(result)
