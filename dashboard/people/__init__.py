"""People and their ways in: sign-ins, invitations, the second step, lock-out, tokens, and the log of what they did."""
