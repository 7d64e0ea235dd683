"""The one road on which accounts and mappings are changed: check, write, record.

`applying` goes it, batch by batch. `admitting` lets through what may still be done, with `leavers` and `managers` for what
they alone have to be asked for; `sending` sends it, by `calls`, in the form that `adapting` has learned; `verifying` finds
out what became of each row, by `rereading` accounts; `recording` writes that down, with the `standing` of each person.

First rows go alone, and have to show: `proving`, and for two rows in one call `columns`. A refused row is tried otherwise
(`experiments`), its branch read again (`placing`), and the account of a refused creation looked for
(`refused_creations`). While Docebo refuses everybody new (`mandatory`) or does not show them (`not_found`), nobody is sent.

Before a saved plan: `checking`, and `inquiry` at Slack. After a run that died: `left_behind`. At the end: `finishing`. The
order that nothing be written: `halting`.
"""
