"""Reports of a run: its summary, orphans, and troubles in an administrator's words.

Of a plan: `summary`, `listing` by reason, `attention` for who needs somebody, `comparing` of two, `choosing` among several;
`outcomes` has the words and rows for them. Beside it: `files`, with `orphans`. Of the installation: `status`, with `bars`.
By mail and chat: `mailed` and `troubles`. How people and next steps are told on any page: `shown` and `steps`.
"""
