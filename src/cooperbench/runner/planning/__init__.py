"""From a request to a plan of episodes, with every mistake found before anything starts."""
