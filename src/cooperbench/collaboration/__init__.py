"""How teammates meet: mailbox, shared git remote, task board, and what is put into a sandbox for them."""
