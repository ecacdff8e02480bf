"""How a resource type is declared: its properties, its outputs and the calls behind it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from embedded.plugins.aws.documents import same, same_document, same_set
from embedded.plugins.common.values import Values

if TYPE_CHECKING:
    from embedded.plugins.aws.call import Call

Kind = Literal["text", "number", "flag", "list", "set", "map", "block", "blocks", "block_set", "asset"]
Same = Callable[[Any, Any], bool]


@dataclass(frozen=True, kw_only=True)
class Property:
    """One input of a type, or of a block inside it.

    aws: the name in the AWS API. Default: the Pulumi name in the style of the service. `None` means that
        no call takes it by itself: the type's own code uses it, or it steers the plugin (`forceDestroy`).
    computed: AWS chooses a value when the program gives none; leaving it out changes nothing.
    write_only: AWS never gives it back, so the last known input stands for it.
    fixed: a change means another resource (replacement).
    automatic: longest name that the plugin may make from the resource's logical name when none is given.
    """

    kind: Kind = "text"
    aws: str | None = ""
    required: bool = False
    fixed: bool = False
    computed: bool = False
    write_only: bool = False
    secret: bool = False
    default: Any = None
    allowed: tuple[Any, ...] = ()
    fields: Mapping[str, "Property"] = field(default_factory=dict)
    automatic: int = 0
    automatic_form: Callable[[str], str] = str
    equal: Same | None = None

    def same(self, left: Any, right: Any) -> bool:
        """Whether two values of this property mean the same to AWS."""
        if self.equal is not None:
            return self.equal(left, right)
        if self.kind in ("set", "block_set"):
            return same_set(left, right)
        return same(left, right)


def text(**options: Any) -> Property:
    """A string."""
    return Property(kind="text", **options)


def number(**options: Any) -> Property:
    """A whole or fractional number."""
    return Property(kind="number", **options)


def flag(**options: Any) -> Property:
    """A boolean."""
    return Property(kind="flag", **options)


def document(**options: Any) -> Property:
    """A JSON document as text; compared by meaning."""
    return Property(kind="text", equal=same_document, **options)


def texts(**options: Any) -> Property:
    """Strings in an order that matters."""
    return Property(kind="list", **options)


def text_set(**options: Any) -> Property:
    """Strings whose order does not matter."""
    return Property(kind="set", **options)


def text_map(**options: Any) -> Property:
    """Strings by name."""
    return Property(kind="map", **options)


def block(fields: Mapping[str, Property], **options: Any) -> Property:
    """One nested object."""
    return Property(kind="block", fields=fields, **options)


def blocks(fields: Mapping[str, Property], **options: Any) -> Property:
    """Nested objects in order."""
    return Property(kind="blocks", fields=fields, **options)


def block_set(fields: Mapping[str, Property], **options: Any) -> Property:
    """Nested objects whose order does not matter."""
    return Property(kind="block_set", fields=fields, **options)


def name(longest: int, aws: str | None = "", form: Callable[[str], str] = str, **options: Any) -> Property:
    """A physical name: fixed, and made from the logical name when none is given."""
    return Property(kind="text", aws=aws, fixed=True, automatic=longest, automatic_form=form, **options)


def names(key: str, longest: int, **options: Any) -> dict[str, Property]:
    """A physical name with the prefix that may stand for it: `name` and `namePrefix`, and alike."""
    return {key: name(longest, **options), f"{key}Prefix": text(aws=None, fixed=True, write_only=True)}


@dataclass(frozen=True, kw_only=True)
class Tags:
    """How the tags of a type are read and changed after creation (creation passes them along)."""

    read: Callable[["Call"], dict[str, str]]
    add: Callable[["Call", dict[str, str]], object]
    remove: Callable[["Call", list[str]], object]


@dataclass(frozen=True, kw_only=True)
class ResourceType:
    """A resource type: what the program may say, and what the calls do.

    create returns the id. read returns what AWS holds, or None when it is gone; it gets the last known
    state, or nothing but the id for an import. update gets the changed names in the call. delete gets the
    last known state. outputs: output name -> AWS name in the description of the resource (dots go into
    it), or None when read fills it in.
    """

    token: str
    page: str
    """The documentation page that says what replaces it and what its defaults are; see `documentation`."""
    service: str
    properties: Mapping[str, Property]
    create: Callable[["Call"], str]
    read: Callable[["Call"], Values | None]
    delete: Callable[["Call"], object]
    update: Callable[["Call"], object] | None = None
    outputs: Mapping[str, str | None] = field(default_factory=dict)
    secret_outputs: Sequence[str] = ()
    volatile: Sequence[str] = ()
    """Outputs that an update may change, so that a preview of an update does not promise them."""
    tags: Tags | None = None
    gone: Sequence[str] = ()
    """AWS error codes that say: it does not exist."""
    style: Literal["pascal", "camel"] = "pascal"
    regional: bool = True
    settled: Callable[["Call"], object] | None = None
    """Waits until a created resource can be used."""
    validate: Callable[[Values], list[tuple[str, str]]] | None = None
    """Rules over several inputs: (property, what is wrong and what is allowed)."""
    import_id: str = "the id that AWS gives"

    @property
    def documentation(self) -> str:
        """Where the facts on replacement, defaults and deletion come from."""
        return f"https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/{self.page}"

    def aws_name(self, pulumi_name: str, declared: Property) -> str | None:
        """The property's name in the AWS API, or None when no call takes it by itself."""
        if declared.aws is None:
            return None
        if declared.aws:
            return declared.aws
        return pulumi_name if self.style == "camel" else pulumi_name[:1].upper() + pulumi_name[1:]

    @property
    def all_properties(self) -> dict[str, Property]:
        """The declared properties with those that many types share."""
        shared: dict[str, Property] = {}
        if self.tags is not None:
            shared["tags"] = text_map(aws=None)
        if self.regional:
            # https://registry.terraform.io/providers/hashicorp/aws/latest/docs/guides/enhanced-region-support
            shared["region"] = text(aws=None, fixed=True, computed=True)
        return {**self.properties, **shared}

    @property
    def all_outputs(self) -> set[str]:
        """Names of everything the resource puts out beside its inputs."""
        return {*self.outputs, *(("tagsAll",) if self.tags is not None else ())}
