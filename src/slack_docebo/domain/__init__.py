"""The rules: pure functions and values, standard library only.

Who there is: `people` on both sides, and what is known of one (`observation`), by what time (`stamps`). How `addresses`,
`names` and the `texts` of others are compared, bounded and shown; `moments`, too.

Who is looked after: the `policy` of the administrator with its `scope`, `user_groups`, `patterns` and days of `freezing`;
the `exclusion` of the forgotten, the `protection` of accounts by pattern and by their `levels`, and `decisions` by hand.

Whose an account is: `matching` and `claims`, `disputes` about it, `returns` under another id, and what is `unfound`.

What an account gets: `rules`, each from `sources` to one of the `targets` by one of the `formulas`: a source, a `lookup`
table, or one of the `expressions` with our `functions`. What fits there: `options`, `languages`, `branches`, `managers`.
Custom `profiles`; the `mirror`, and `unmirroring`. `attributes` are compared with what the account has.

What is done: the `planner` finds it, for `newcomers`, the `matched`, and `leavers` after days of `grace` or until their
`expiry`, beside other `findings`. `operations` and their `effects`; the limits on them (`guards`); why somebody is left
alone (`standing`). Whether it may still be done: `situation` and `changed_rules`; whether a list is whole: `shrinking`.

How a platform behaves: its `dialect`, the `proof` that it does what rows say, the `description` of its API.

What people are told: `advice`, what others said in `quoting`, exchanges in `disguise`. Of the settings: each
`setting_change`, wrong `entries`, `unmatched` ones, and `unused_tables`.
"""
