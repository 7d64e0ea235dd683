"""Slack's events: merged for each person, served in rounds; and the upkeep of the inbox between runs.

`serving` holds the lease, and begins `rounds` while events come. In a round `merging` makes one case of a person's events,
`sorting` finds the cases that need a call, `case_reader` makes it, `round_plans` plans for them, `managers` for those who
are named as such, `holding` keeps back what exceeds a limit, and `settling` notes the end of each event; `serve_result`
tells it all.

`parked` is for events that wait for somebody, `upkeep` for what is too old.
"""
