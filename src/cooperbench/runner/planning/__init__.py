"""What is to be run: a request becomes a plan of episodes, with every mistake found before anything starts."""
