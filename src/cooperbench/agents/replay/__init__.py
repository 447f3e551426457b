"""`replay:RUN`: the recorded answers of an earlier run's models, played again in fresh sandboxes."""
