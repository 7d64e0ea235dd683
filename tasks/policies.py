"""When a recipe is tried again, and how long later."""

from typing import Any

from prefect import Task
from prefect.client.schemas import State, TaskRun

from slack_docebo.errors import StorageError, TransientError


async def is_transient(task: Task[Any, Any], task_run: TaskRun, state: State[Any]) -> bool:  # noqa: ARG001
    """Tell whether a later try of the same task can succeed."""
    error = await state.aresult(raise_on_failure=False)
    return isinstance(error, TransientError | StorageError)


async def is_storage_trouble(task: Task[Any, Any], task_run: TaskRun, state: State[Any]) -> bool:  # noqa: ARG001
    """Tell whether a task has failed because of the store; its calls are retried in tasks of their own."""
    return isinstance(await state.aresult(raise_on_failure=False), StorageError)


RETRIED: dict[str, Any] = {
    "retries": 2,
    "retry_delay_seconds": [30, 120],  # the clients have tried for seconds before
    "retry_condition_fn": is_transient,
}
"""The retries of a recipe: `@task(name=..., **RETRIED)`."""
