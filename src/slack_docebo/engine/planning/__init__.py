"""Making plans: for everybody, for named people, and plans that undo a run.

`plans` makes them, stage by stage: `drafter` stores for each the operation that `people` finds, `absences` asks for those
in no list, `suspects` for accounts that may be somebody else's, `reopening` finds accounts that we had shut, and `survey`
what a list shows about the settings. `few`, `named` and `enriching` plan for some people alone; `returners` asks who may
be back there, where no list shows everybody.

A plan is a draft (`drafts`) until `limits` has measured it; `attachments` writes the files beside it. `parting` takes a
part of it, `undoing` plans its inverse.

What follows an import, by one rule each (`follow_ups`): `managing` for managers, `moving` for branches, with `leaving` for
the branch of leavers.
"""
