"""The processes in which agents and evaluations run: starting, supervising and ending them."""
