"""Reading, planning and applying: the rules joined to the clients and the store."""
