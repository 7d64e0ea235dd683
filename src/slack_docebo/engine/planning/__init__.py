"""Making plans: for everybody, for named people, and plans that undo a run.

`plans` makes them: `people` finds the operation for each, `absences` asks for those in no list, `reopening` finds accounts
that we had shut. `few`, `named` and `enriching` plan for some people alone; `returners` asks who may be back there, where no
list shows everybody.

A plan is a draft (`drafts`) until `limits` has measured it; `attachments` writes the files beside it. `parting` takes a
part of it, `undoing` plans its inverse.

What follows an import, by one rule each (`follow_ups`): `managing` for managers, `moving` for branches, with `leaving` for
the branch of leavers.
"""
