"""Objects in a bucket, given as text or as a file."""

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from embedded.plugins.aws.call import Call, tags_from_pairs
from embedded.plugins.aws.schema import Property, ResourceType, Tags, flag, text, text_map
from embedded.plugins.common.values import Asset, Values

# What HeadObject and PutObject call alike.
_DESCRIBED: dict[str, Property] = {
    "cacheControl": text(),
    "contentDisposition": text(),
    "contentEncoding": text(),
    "contentLanguage": text(),
    "contentType": text(computed=True),
    "metadata": text_map(),
}


def _body(call: Call) -> bytes:
    import base64

    if call.get("content") is not None:
        return str(call.values["content"]).encode()
    if call.get("contentBase64") is not None:
        return base64.b64decode(call.values["contentBase64"])
    source = call.get("source")
    if isinstance(source, Asset) and source.path is not None:
        return Path(source.path).read_bytes()
    return str(source.text or "").encode() if isinstance(source, Asset) else b""


def _put(call: Call) -> str:
    bucket, key = str(call.values["bucket"]), str(call.values["key"])
    encryption = {
        "ServerSideEncryption": call.get("serverSideEncryption")
        or ("aws:kms" if call.get("kmsKeyId") else None),
        "SSEKMSKeyId": call.get("kmsKeyId"),
        "Tagging": urlencode(call.tags) or None,
    }
    given = {name: value for name, value in encryption.items() if value is not None}
    call.client.put_object(
        Bucket=bucket, Key=key, Body=_body(call), **call.arguments(list(_DESCRIBED)), **given
    )
    return f"{bucket}/{key}"


def _split(call: Call) -> tuple[str, str]:
    bucket, _, key = call.id.removeprefix("s3://").partition("/")
    return bucket, key


def _read(call: Call) -> Values:
    bucket, key = _split(call)
    found = call.client.head_object(Bucket=bucket, Key=key)
    described = {name: found[aws] for name, aws in _names().items() if found.get(aws)}
    return {
        **described,
        "bucket": bucket,
        "key": key,
        "etag": str(found["ETag"]).strip('"'),
        "serverSideEncryption": found.get("ServerSideEncryption"),
        "kmsKeyId": found.get("SSEKMSKeyId"),
        "versionId": found.get("VersionId"),
        "arn": f"arn:{call.session.partition}:s3:::{bucket}/{key}",
    }


def _names() -> dict[str, str]:
    return {name: name[:1].upper() + name[1:] for name in _DESCRIBED}


def _delete(call: Call) -> None:
    bucket, key = _split(call)
    if call.get("forceDestroy"):
        pages = call.client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key)
        for page in pages:
            for item in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                if item["Key"] == key:
                    call.client.delete_object(Bucket=bucket, Key=key, VersionId=item["VersionId"])
        return
    call.client.delete_object(Bucket=bucket, Key=key)


def _tags(call: Call) -> dict[str, str]:
    bucket, key = _split(call)
    return tags_from_pairs(call.client.get_object_tagging(Bucket=bucket, Key=key)["TagSet"])


def _set_tags(call: Call, _names_or_tags: Any) -> None:
    bucket, key = _split(call)
    pairs = [{"Key": name, "Value": value} for name, value in call.tags.items()]
    call.client.put_object_tagging(Bucket=bucket, Key=key, Tagging={"TagSet": pairs})


def _same_asset(left: Any, right: Any) -> bool:
    """Whether two assets have the same content, wherever it lies."""
    return _digest(left) == _digest(right)


def _digest(asset: Any) -> str:
    if isinstance(asset, Asset) and asset.text is not None:
        return hashlib.sha256(asset.text.encode()).hexdigest()
    if isinstance(asset, Asset) and asset.path is not None and Path(asset.path).is_file():
        return hashlib.sha256(Path(asset.path).read_bytes()).hexdigest()
    return str(asset)


def _check(values: Values) -> list[tuple[str, str]]:
    given = [name for name in ("content", "contentBase64", "source") if values.get(name) is not None]
    return (
        [("content", f"only one of {', '.join(given)} can be the object's content")] if len(given) > 1 else []
    )


def _update(call: Call) -> None:
    if call.changed - {"tags", "tagsAll", "forceDestroy"}:
        _put(call)


def _object(token: str) -> ResourceType:
    return ResourceType(
        token=token,
        page="s3_object",
        service="s3",
        properties={
            "bucket": text(required=True, fixed=True),
            "key": text(fixed=True, required=True),
            **_DESCRIBED,
            "content": text(aws=None, write_only=True),
            "contentBase64": text(aws=None, write_only=True),
            "source": Property(kind="asset", aws=None, write_only=True, equal=_same_asset),
            "sourceHash": text(aws=None, write_only=True),
            "etag": text(aws=None, computed=True),
            "serverSideEncryption": text(aws=None, computed=True),
            "kmsKeyId": text(aws=None, computed=True),
            "forceDestroy": flag(aws=None, default=False, write_only=True),
        },
        outputs=dict.fromkeys(("arn", "versionId")),
        volatile=("versionId", "etag"),
        create=_put,
        read=_read,
        update=_update,
        delete=_delete,
        tags=Tags(read=_tags, add=_set_tags, remove=_set_tags),
        gone=("NoSuchBucket", "NoSuchKey", "404"),
        validate=_check,
        import_id="BUCKET/KEY",
    )


# `bucketObjectv2` is its name in pulumi-aws; `bucketObject` the older one of the same.
OBJECT = _object("aws:s3/bucketObjectv2:BucketObjectv2")
OLD_OBJECT = _object("aws:s3/bucketObject:BucketObject")

TYPES = (OBJECT, OLD_OBJECT)
