"""`human`: a person who works as a member, in a shell of their sandbox on a terminal of this machine."""
