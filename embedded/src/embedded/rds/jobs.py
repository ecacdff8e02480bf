"""What happens to instances outside of requests: each job takes an instance from one status to the next.

Jobs are safe to run again: a process that is killed in one finds the status at its next start and
continues (`resume`).
"""

import logging
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from embedded.faults import durations
from embedded.identity import MAXIMUM_DATABASES, CloudIdentity
from embedded.preconditions import is_free
from embedded.processes import Supervisor
from embedded.rds import instance_classes, modifications, network, parameters, roles
from embedded.rds.engine import Engine
from embedded.rds.instance import EmbeddedDbInstance
from embedded.rds.server import PostgresServer, copy_tree

_log = logging.getLogger("embedded.rds")
_WATCH_SECONDS = 2.0
_PACE_SECONDS = 0.2
# Most of them wait, if AWS's pace is played.
_JOBS_AT_ONCE = 16


class InstanceJobs:
    """Runs jobs in the background. `lock` guards moto's models; `save` writes them to disk."""

    def __init__(
        self, identity: CloudIdentity, engine: Engine, lock: threading.RLock, save: Callable[[], None]
    ) -> None:
        self.identity = identity
        self.engine = engine
        self._lock = lock
        self._save = save
        self._supervisor = Supervisor(identity)
        self._pool = ThreadPoolExecutor(max_workers=_JOBS_AT_ONCE, thread_name_prefix="rds")
        self._instance_locks: dict[str, threading.Lock] = {}

    def server(self, instance: EmbeddedDbInstance) -> PostgresServer:
        """The server of an instance."""
        identifier, hostname = instance.db_instance_identifier, instance.address
        return PostgresServer(self.identity, self._supervisor, self.engine, identifier, hostname)

    def address(self, instance: EmbeddedDbInstance) -> str:
        """The address its server listens on."""
        return self.identity.database_address(instance.address_index)

    def snapshot_directory(self, snapshot_identifier: str) -> Path:
        """The data of a snapshot. No instance can have this directory's name."""
        return self.identity.state_directory / "rds" / ".snapshots" / snapshot_identifier

    def free_address_index(self) -> int:
        """The lowest index no instance uses.

        Raises:
            ValueError: all are in use.
        """
        used = {instance.address_index for instance in all_instances()}
        for index in range(MAXIMUM_DATABASES):
            if index not in used:
                return index
        raise ValueError(f"the embedded RDS has room for {MAXIMUM_DATABASES} instances")

    def check_port(self, port: int) -> None:
        """Beside a cluster that was brought all servers share one address.

        Raises:
            ValueError: another instance has the port, or another program of the machine.
        """
        if not self.identity.brought:
            return
        place = f"port {port} of {self.identity.host_address}"
        for other in all_instances():
            if int(other.port or 5432) == port:
                raise ValueError(f"{place} is the one of instance {other.db_instance_identifier}")
        if not is_free(self.identity.host_address, port):
            raise ValueError(f"{place} is taken by another program, maybe another cloud's database")

    def submit(self, job: Callable[[EmbeddedDbInstance], None], instance: EmbeddedDbInstance) -> None:
        """Run a job after this instance's earlier ones; a failure shows as status `failed`."""
        own_lock = self._instance_locks.setdefault(instance.dbi_resource_id, threading.Lock())

        def run() -> None:
            with own_lock:
                try:
                    job(instance)
                except Exception:  # noqa: BLE001 - becomes the status, as on AWS
                    _log.exception("%s of %s failed", job.__name__, instance.db_instance_identifier)
                    self._set_status(instance, "failed")

        self._pool.submit(run)

    # --- jobs ---

    def provision(self, instance: EmbeddedDbInstance) -> None:
        """creating -> available: new data or a snapshot's, then roles and the first database."""
        server = self.server(instance)
        server.stop()
        if instance.restore_from:
            server.copy_from(self.snapshot_directory(instance.restore_from))
        else:
            server.initialize()
        self._start(instance)
        with server.connect() as connection:
            username = str(instance.master_username)
            roles.make_master_user(connection, username, instance.master_password)
            if instance.db_name and not instance.restore_from:
                roles.make_database(connection, instance.db_name, username)
        self._wait_for_pace(instance)
        self._set_status(instance, "available")

    def bring_up(self, instance: EmbeddedDbInstance) -> None:
        """starting, rebooting, modifying -> available, with the settings as they are now."""
        server = self.server(instance)
        server.stop()
        self._start(instance)
        self._wait_for_pace(instance)
        self._set_status(instance, "available")

    def adopt(self, instance: EmbeddedDbInstance) -> None:
        """available after a restart of this process: the server still runs, or is started again."""
        if self.server(instance).alive:
            network.ensure_address(self.identity, self.address(instance))
            self.server(instance).start()
            self.apply_settings(instance)
            self._wait_for_pace(instance)
            self._set_status(instance, "available")
        else:
            self.bring_up(instance)

    def shut_down(self, instance: EmbeddedDbInstance) -> None:
        """stopping -> stopped."""
        self.server(instance).stop()
        self._wait_for_pace(instance)
        self._set_status(instance, "stopped")

    def apply_settings(self, instance: EmbeddedDbInstance) -> None:
        """Apply parameters that need no restart; the others are in none of the server's files yet."""
        server = self.server(instance)
        self._configure(instance)
        if server.alive:
            server.reload()

    def apply_password(self, instance: EmbeddedDbInstance) -> None:
        """Give the master user the password that is current."""
        if instance.master_password is not None:
            with self.server(instance).connect() as connection:
                roles.set_password(connection, str(instance.master_username), instance.master_password)

    def delete(self, instance: EmbeddedDbInstance) -> None:
        """deleting -> gone, with the final snapshot before if one was asked for."""
        server = self.server(instance)
        if instance.final_snapshot:
            self.snapshot(instance, instance.final_snapshot)
        server.stop()
        self._wait_for_pace(instance)
        server.remove()
        with self._lock:
            instance.backend.forget(instance)  # type: ignore[attr-defined]
            self._save()
        network.remove_address(self.identity, self.address(instance))
        self.write_hosts()

    def snapshot(
        self, instance: EmbeddedDbInstance, snapshot_identifier: str, pause_seconds: float = 0.0
    ) -> None:
        """Copy the instance's data and make the snapshot available, after a pause if AWS's pace is played."""
        server, target = self.server(instance), self.snapshot_directory(snapshot_identifier)
        if server.alive:
            server.base_backup(target)
        elif not target.exists():
            copy_tree(server.data, target)
        time.sleep(pause_seconds)
        with self._lock:
            snapshot = instance.backend.database_snapshots.get(snapshot_identifier)
            if snapshot is None:
                shutil.rmtree(target, ignore_errors=True)
            else:
                snapshot.status = "available"
                snapshot.percent_progress = 100  # type: ignore[attr-defined]
            if instance.status == "backing-up":
                instance.status = "available"
            self._save()

    def resume(self) -> None:
        """Continue with every instance where an earlier process of this cloud left it."""
        self.write_hosts()
        continuations: dict[str, Callable[[EmbeddedDbInstance], None]] = {
            "creating": self.provision,
            "stopping": self.shut_down,
            "stopped": lambda _: None,
            "deleting": self.delete,
            "failed": lambda _: None,
        }
        for instance in all_instances():
            job = continuations.get(instance.status, self.adopt)
            if job == self.adopt and not self.server(instance).alive:
                instance.status = "starting"
            if job == self.adopt:
                self._continue_snapshots(instance)
            self.submit(job, instance)

    def watch(self) -> None:
        """From now on start servers again that ended by themselves, as RDS does."""

        def look() -> None:
            while True:
                time.sleep(_WATCH_SECONDS)
                for instance in self._crashed():
                    _log.warning("the server of %s has ended; starting it", instance.db_instance_identifier)
                    self.submit(self.bring_up, instance)
                self._maintain()

        threading.Thread(target=look, name="rds-watch", daemon=True).start()

    def _crashed(self) -> list[EmbeddedDbInstance]:
        """Instances that are available by their status and not in fact; each is told once."""
        with self._lock:
            crashed = [
                one for one in all_instances() if one.status == "available" and not self.server(one).alive
            ]
            for instance in crashed:
                instance.status = "starting"
        return crashed

    def _maintain(self) -> None:
        """Apply what waits for the maintenance window to the instances whose window it is."""
        now = datetime.now(UTC)
        with self._lock:
            for one in all_instances():
                due = one.pending_modified_values and one.status == "available"
                if due and modifications.in_window(one.preferred_maintenance_window, now):
                    one.backend.apply_pending(one)  # type: ignore[attr-defined]
                    self._save()

    def _wait_for_pace(self, instance: EmbeddedDbInstance) -> None:
        """Stay in this status as long as AWS would, if that is played."""
        while not durations.is_over(instance.busy_until):
            time.sleep(_PACE_SECONDS)

    def _continue_snapshots(self, instance: EmbeddedDbInstance) -> None:
        for identifier, snapshot in instance.backend.database_snapshots.items():
            same = snapshot.database.dbi_resource_id == instance.dbi_resource_id
            if same and snapshot.status == "creating":
                self.submit(lambda one, name=identifier: self.snapshot(one, name), instance)  # type: ignore[misc]

    def write_hosts(self) -> None:
        """Tell the cluster's DNS where the instances are."""
        with self._lock:
            hosts = {one.address: self.address(one) for one in all_instances() if one.status != "deleting"}
        network.write_hosts(self.identity, hosts)

    def _start(self, instance: EmbeddedDbInstance) -> None:
        network.ensure_address(self.identity, self.address(instance))
        with self._lock:
            # A restart, wanted or not, brings everything that the group says.
            instance.applied_parameters = parameters.of_group(instance.db_parameter_groups()[0])
            instance.reboot_pending = False
        self._configure(instance)
        self.write_hosts()
        self.server(instance).start()

    def _configure(self, instance: EmbeddedDbInstance) -> None:
        with self._lock:
            applied = dict(instance.applied_parameters)
        self.server(instance).configure(
            address=self.address(instance),
            port=int(instance.port or 5432),
            max_connections=instance_classes.max_connections(instance.db_instance_class),
            force_ssl=parameters.force_ssl(applied, self.engine),
            settings=parameters.server_settings(applied),
        )

    def _set_status(self, instance: EmbeddedDbInstance, status: str) -> None:
        with self._lock:
            instance.status = status
            self._save()
        _log.info("instance %s is %s", instance.db_instance_identifier, status)


def all_instances() -> list[EmbeddedDbInstance]:
    """Every instance in every region."""
    from moto.rds.models import rds_backends

    from embedded.aws_api import ACCOUNT_ID

    backends = list(rds_backends[ACCOUNT_ID].values())
    return [one for backend in backends for one in backend.databases.values()]  # type: ignore[misc]
