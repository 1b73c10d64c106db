"""Celery's face: each task is a service, called by id."""

from __future__ import annotations

from celery import shared_task

from plugins_app.services import deliveries, environments, events, executions, nodes, releases

__all__ = [
    "environment_install",
    "environments_resume",
    "execution_run",
    "executions_reap",
    "nodes_expire",
    "records_prune",
    "releases_settle",
    "webhook_deliver",
    "webhooks_resume",
]


@shared_task(name="plugins_app.tasks.execution_run")
def execution_run(execution_id: str) -> None:
    """Run one queued execution."""
    executions.execution_run(execution_id=execution_id)


@shared_task(name="plugins_app.tasks.executions_reap")
def executions_reap() -> None:
    """End what dead workers left behind."""
    executions.executions_reap()


@shared_task(name="plugins_app.tasks.nodes_expire")
def nodes_expire() -> None:
    """Forget the machines that never came back."""
    nodes.nodes_expire()


@shared_task(name="plugins_app.tasks.environment_install")
def environment_install(key: str) -> None:
    """Build one environment, then start what waited for it."""
    environments.environment_install(key=key)
    releases.releases_settle()


@shared_task(name="plugins_app.tasks.environments_resume")
def environments_resume() -> None:
    """Build what nobody builds any more."""
    for key in environments.environments_resume():
        environment_install.delay(key)


@shared_task(name="plugins_app.tasks.releases_settle")
def releases_settle() -> None:
    """Finish the changes that nobody waited for."""
    releases.releases_settle()


@shared_task(name="plugins_app.tasks.webhook_deliver")
def webhook_deliver(delivery_id: str) -> None:
    """Send one message of the outbox."""
    deliveries.delivery_send(delivery_id=delivery_id)


@shared_task(name="plugins_app.tasks.webhooks_resume")
def webhooks_resume() -> None:
    """Send what is due and was lost, or waited long."""
    deliveries.deliveries_resume()


@shared_task(name="plugins_app.tasks.records_prune")
def records_prune() -> None:
    """Forget old events and old messages."""
    deliveries.deliveries_prune()
    events.events_prune()
