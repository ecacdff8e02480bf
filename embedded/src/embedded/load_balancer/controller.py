"""Keeps load balancers as the cluster's Ingresses ask for them."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from embedded.errors import EmbeddedError, NotReady
from embedded.files import write_private
from embedded.load_balancer import cluster, records
from embedded.load_balancer.annotations import RefusedError
from embedded.load_balancer.planning import Certificate, Group, LoadBalancer, groups, plan
from embedded.load_balancer.records import Record
from embedded.load_balancer.rules import TargetGroup
from embedded.node.layout import NodeLayout
from embedded.node.watching import ClusterObjects

Json = Mapping[str, Any]
Targets = dict[TargetGroup, tuple[tuple[str, int], ...]]

_SETTLE_SECONDS: Final = 0.2
_RETRY_SECONDS: Final = 3.0
_RESYNC_SECONDS: Final = 60.0

_log = logging.getLogger("embedded.load_balancer")


@dataclass
class _Served:
    """What was done for a group, so that it is not done again."""

    front: Any
    wanted: LoadBalancer | None = None
    certificates: Sequence[Certificate] = ()
    registered: Targets = field(default_factory=dict)
    dns_name: str = ""


class Controller:
    """Lists, plans, makes, serves; again for every change."""

    def __init__(self, layout: NodeLayout, objects: ClusterObjects, sign_of_life: Path) -> None:
        """`sign_of_life` is a file that tells how the last pass ended."""
        self._layout, self._objects, self._sign = layout, objects, sign_of_life
        self._writer = cluster.ClusterWriter(objects)
        self._served: dict[str, _Served] = {}
        self._told: dict[str, str] = {}
        self._account: Any = None

    def run(self) -> None:
        """Go on until the process ends; load balancers in the account outlive it, as AWS's do."""
        changed = threading.Event()
        self._objects.follow(cluster.WATCHED, changed.set)
        while True:
            changed.clear()
            problem, complete = "", False
            try:
                complete = self._pass()
            except (EmbeddedError, OSError) as error:
                problem = str(error)
                _log.warning("%s", error)
            except Exception as error:  # noqa: BLE001 - whatever AWS answers with, the next pass may go well
                problem = str(error)
                _log.exception("this pass failed")
            write_private(self._sign, json.dumps({"pid": os.getpid(), "problem": problem}).encode())
            changed.wait(_RESYNC_SECONDS if complete else _RETRY_SECONDS)
            # What changes comes in bursts.
            time.sleep(_SETTLE_SECONDS)

    def _pass(self) -> bool:
        """Look at everything once; whether nothing is left to try again."""
        snapshot = cluster.take(self._objects)
        found = groups(snapshot.classes, snapshot.parameters, snapshot.ingresses)
        # Nobody who makes no Ingress pays for the AWS SDK.
        if not found or not self._has_account():
            return not found
        certificates = self._account.certificates()
        done = [self._group(group, snapshot, certificates) for group in found]
        return all(done)

    def _has_account(self) -> bool:
        """Whether EKS has a cluster here: its controllers come and go with it."""
        from embedded.load_balancer import account, clients

        present = clients.find_cluster(self._layout.identity)
        if present is None:
            self._account = None
        elif self._account is None or self._account.cluster != present:
            self._account = account.Account(self._layout.identity, present)
            for served in self._served.values():
                served.wanted = None
        return self._account is not None

    def _group(self, group: Group, snapshot: cluster.Snapshot, certificates: Sequence[Certificate]) -> bool:
        """One group, whose mistakes are no other group's; whether it is as it has to be."""
        from botocore.exceptions import ClientError

        from embedded.load_balancer.account import AccountRefusedError

        try:
            wanted = plan(group, snapshot.services, certificates)
        except RefusedError as error:
            self._tell(group, "Warning", "FailedBuildModel", f"Failed build model due to {error}")
            return False
        try:
            if wanted is None:
                self._remove(group)
            else:
                self._keep(group, wanted, snapshot, certificates)
        except (ClientError, AccountRefusedError) as error:
            self._tell(group, "Warning", "FailedDeployModel", f"Failed deploy model due to {error}")
            return False
        for ingress in group.leaving:
            self._writer.release(ingress, group.finalizer)
        return True

    def _keep(
        self,
        group: Group,
        wanted: LoadBalancer,
        snapshot: cluster.Snapshot,
        certificates: Sequence[Certificate],
    ) -> None:
        from embedded.load_balancer.front import tls_files

        for ingress in group.members:
            self._writer.hold(ingress, group.finalizer)
        served = self._served_of(group.name)
        if served.wanted != wanted or served.certificates != certificates:
            made = self._account.make(group.name, wanted)
            served.dns_name, served.registered = made.dns_name, {}
            served.wanted, served.certificates = wanted, certificates
            record = Record(served.front.address, made.dns_name, made.interfaces, wanted.hosts)
            self._record({group.name: record})
        targets = {one: cluster.targets(snapshot, one) for one in wanted.target_groups}
        for target_group, found in targets.items():
            if served.registered.get(target_group) != found:
                self._account.register(group.name, target_group, found)
                served.registered[target_group] = found
        files = tls_files(self._layout.identity, wanted.certificate_arns, certificates)
        served.front.use(wanted, files, targets)
        for ingress in group.members:
            self._writer.publish(ingress, served.dns_name)
        self._tell(group, "Normal", "SuccessfullyReconciled", "Successfully reconciled")

    def _served_of(self, group: str) -> _Served:
        """The group's server, on the address that it had before.

        Raises:
            AccountRefusedError: there are more load balancers than addresses.
        """
        from embedded.load_balancer.account import AccountRefusedError
        from embedded.load_balancer.front import Front

        if group not in self._served:
            known = records.read(self._layout.load_balancers)
            if group in known:
                address: str | None = known[group].address
            else:
                address = records.free_address(self._layout.identity, known)
            if address is None:
                raise AccountRefusedError("TooManyLoadBalancers: the embedded cloud has addresses for 32")
            self._served[group] = _Served(Front(self._layout.identity, address))
        return self._served[group]

    def _remove(self, group: Group) -> None:
        self._account.remove(group.name)
        if served := self._served.pop(group.name, None):
            served.front.stop()
        self._record({}, without=group.name)
        for ingress in group.leaving:
            if "deletionTimestamp" not in ingress["metadata"]:
                self._writer.publish(ingress, None)

    def _record(self, added: Mapping[str, Record], without: str = "") -> None:
        known = {
            name: one for name, one in records.read(self._layout.load_balancers).items() if name != without
        }
        records.write(self._layout, {**known, **added})

    def _tell(self, group: Group, kind: str, reason: str, message: str) -> None:
        """Events of the same words are written once."""
        for ingress in group.members or group.leaving:
            identifier = ingress["metadata"]["uid"]
            generation = f"{ingress['metadata'].get('generation')} {message}"
            if self._told.get(identifier) != generation:
                self._told[identifier] = generation
                level = logging.INFO if kind == "Normal" else logging.WARNING
                _log.log(level, "%s, %s: %s", group.name, ingress["metadata"]["name"], message)
                self._writer.tell(ingress, kind, reason, message)


def problem_of(sign_of_life: Path, pid: int | None) -> None:
    """How the last pass of this process ended.

    Raises:
        NotReady: it had none yet, or it failed.
    """
    try:
        said = json.loads(sign_of_life.read_text())
    except (OSError, ValueError) as error:
        raise NotReady("it has not looked at the cluster yet") from error
    if said.get("pid") != pid:
        raise NotReady("it has not looked at the cluster yet")
    if said.get("problem"):
        raise NotReady(str(said["problem"]))
