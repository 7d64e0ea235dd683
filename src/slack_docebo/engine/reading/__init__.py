"""What both sides hold: the connection check, Slack's list with its proof, Docebo's accounts.

`connection` comes first: both sides answer, and may be believed. The lists are read by `slack_list`, into a `snapshot`, and
`accounts`. Whether a list is whole and new enough, `missing`, `hidden_addresses`, `lagging`, `overtaken` and `renewing` find out.

`evidence` asks for single people and accounts, `roll_call` for some people in fewer calls, `bearers` for who has an
address, `searching` for the accounts of one, `organisation` for the ids of an Enterprise Grid; `outages` tells one
person's failure from everybody's.

What lists do not show: `profiles`, `scim`, `user_groups`, `branches`. Which fields the rules mean: `attribute_fields` and
`mirror_fields`. How this platform answers: `dialects`, and by hand `dialect_changes`.
"""
