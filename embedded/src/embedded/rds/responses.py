"""RDS operations moto lacks."""

from typing import Any

from moto.core.responses import ActionResult
from moto.rds.responses import RDSResponse


class EmbeddedRdsResponse(RDSResponse):
    """Each public method is one operation of the API, found by its name."""

    def describe_db_engine_versions(self) -> ActionResult:
        """The one engine version there is, if it is asked for."""
        engine = self.backend.jobs.engine  # type: ignore[attr-defined]
        wanted = self.params.get("EngineVersion")
        fits = self.params.get("Engine") in (None, "postgres") and wanted in (
            None,
            engine.major,
            engine.version,
        )
        entry: dict[str, Any] = {
            "Engine": "postgres",
            "EngineVersion": engine.version,
            "MajorEngineVersion": engine.major,
            "DBParameterGroupFamily": f"postgres{engine.major}",
            "DBEngineDescription": "PostgreSQL",
            "DBEngineVersionDescription": f"PostgreSQL {engine.version}",
            "ValidUpgradeTarget": [],
            "Status": "available",
        }
        return ActionResult({"DBEngineVersions": [entry] if fits else []})

    def reset_db_parameter_group(self) -> ActionResult:
        """ResetDBParameterGroup."""
        name = self.params["DBParameterGroupName"]
        listed = [one.original_dict() for one in self.params.get("Parameters", [])]
        everything = bool(self.params.get("ResetAllParameters"))
        group = self.backend.reset_db_parameter_group(name, everything, listed)  # type: ignore[attr-defined]
        return ActionResult({"DBParameterGroupName": group.name})

    def modify_event_subscription(self) -> ActionResult:
        """ModifyEventSubscription: what is named changes, the sources by operations of their own."""
        subscription = self._subscription()
        for parameter, attribute in (
            ("SnsTopicArn", "sns_topic_arn"),
            ("SourceType", "source_type"),
            ("EventCategories", "event_categories"),
            ("Enabled", "enabled"),
        ):
            if (value := self.params.get(parameter)) is not None:
                setattr(subscription, attribute, value)
        return ActionResult({"EventSubscription": subscription})

    def add_source_identifier_to_subscription(self) -> ActionResult:
        """AddSourceIdentifierToSubscription."""
        subscription, source = self._subscription(), self.params["SourceIdentifier"]
        subscription.source_ids = [*subscription.source_ids, source]
        return ActionResult({"EventSubscription": subscription})

    def remove_source_identifier_from_subscription(self) -> ActionResult:
        """RemoveSourceIdentifierFromSubscription."""
        subscription, source = self._subscription(), self.params["SourceIdentifier"]
        subscription.source_ids = [one for one in subscription.source_ids if one != source]
        return ActionResult({"EventSubscription": subscription})

    def _subscription(self) -> Any:
        return next(iter(self.backend.describe_event_subscriptions(self.params["SubscriptionName"])))
