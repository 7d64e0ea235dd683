"""What both sides hold: the connection check, Slack's list with its proof, Docebo's accounts."""
