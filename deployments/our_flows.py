"""Our flows by their names; a run of any other flow is refused."""

from pathlib import Path
from typing import Any

from prefect.flows import Flow
from prefect.settings import get_current_settings

from flows.apply_plan import apply_plan
from flows.bulk_import import bulk_import
from flows.decide import decide
from flows.dialect import dialect
from flows.doctor import doctor
from flows.explain_user import explain_user
from flows.fields import fields
from flows.find_person import find_person
from flows.mappings import mappings
from flows.parked_events import parked_events
from flows.personal_data import personal_data
from flows.plan_people import plan_people
from flows.realtime_sync import realtime_sync
from flows.relink import relink
from flows.reset_mappings import reset_mappings
from flows.restore_mappings import restore_mappings
from flows.send_test_message import send_test_message
from flows.settings import settings
from flows.stop import go, stop
from flows.sweep import sweep
from flows.try_attributes import try_attributes
from flows.undo import undo


def _without_stored_results(flow: Flow[..., Any]) -> Flow[..., Any]:
    """Return *flow* so that no result is stored: otherwise the server decides whether and where, and they are unpickled."""
    here = Path(get_current_settings().results.local_storage_path)
    return flow.with_options(persist_result=False, result_storage=here)


FLOWS = {
    flow.name: _without_stored_results(flow)
    for flow in (
        apply_plan,
        bulk_import,
        decide,
        dialect,
        doctor,
        explain_user,
        find_person,
        fields,
        go,
        mappings,
        parked_events,
        personal_data,
        plan_people,
        realtime_sync,
        relink,
        reset_mappings,
        restore_mappings,
        send_test_message,
        settings,
        stop,
        sweep,
        try_attributes,
        undo,
    )
}
