"""Reading, planning and applying: connects the rules with the clients and the store."""
