"""Celery's face: each task is a service, called by id."""

from __future__ import annotations

from celery import shared_task

from plugins_app.services import (
    deliveries,
    environments,
    events,
    executions,
    nodes,
    packages,
    releases,
    removal,
    tidying,
)

__all__ = [
    "disk_resume",
    "disk_tidy",
    "environment_install",
    "environments_resume",
    "execution_run",
    "executions_reap",
    "nodes_expire",
    "package_share",
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


@shared_task(name="plugins_app.tasks.package_share")
def package_share(version_id: str) -> None:
    """Pack one version for the other nodes."""
    packages.package_share(version_id=int(version_id))


@shared_task(name="plugins_app.tasks.disk_resume")
def disk_resume() -> None:
    """Finish what was begun on this node's disk: folders on their way to the trash or back, versions not packed."""
    removal.removals_finish()
    for version_id in packages.packages_unshared():
        packages.package_share(version_id=version_id)


@shared_task(name="plugins_app.tasks.disk_tidy")
def disk_tidy() -> None:
    """Remove what nobody needs any more."""
    removal.removals_forget()
    tidying.disk_tidy()


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
