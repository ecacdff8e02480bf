"""Puts the embedded RDS into moto."""

import threading
from collections.abc import Callable
from pathlib import Path

from embedded.identity import CloudIdentity
from embedded.rds.engine import Engine
from embedded.rds.jobs import InstanceJobs


def install(
    identity: CloudIdentity, postgres_directory: Path, lock: threading.RLock, save: Callable[[], None]
) -> InstanceJobs:
    """Make moto use the embedded instances; before any state is loaded. Call `resume` after that."""
    import moto.rds.models as rds_models
    import moto.rds.urls
    from moto.secretsmanager.models import secretsmanager_backends

    from embedded.rds.backend import EmbeddedRdsBackend
    from embedded.rds.instance import EmbeddedDbInstance, EmbeddedMasterUserSecret
    from embedded.rds.managed_secrets import EmbeddedSecretsManagerBackend
    from embedded.rds.responses import EmbeddedRdsResponse

    jobs = InstanceJobs(identity, Engine(postgres_directory), lock, save)
    EmbeddedRdsBackend.jobs = jobs
    EmbeddedSecretsManagerBackend.jobs = jobs
    # moto looks these classes up by name in its module whenever it makes an instance.
    rds_models.DBInstance = EmbeddedDbInstance  # type: ignore[misc, assignment]
    rds_models.MasterUserSecret = EmbeddedMasterUserSecret  # type: ignore[misc]
    rds_models.rds_backends.backend = EmbeddedRdsBackend
    secretsmanager_backends.backend = EmbeddedSecretsManagerBackend
    moto.rds.urls.url_paths = dict.fromkeys(moto.rds.urls.url_paths, EmbeddedRdsResponse.dispatch)
    return jobs
