# mypy: allow-subclassing-any
"""The administrative requests of Kafka's protocol that aiokafka 0.14 lacks, written on its own building blocks.

ACLs go many to a request (aiokafka sends one); settings are changed one by one and not replaced as a whole; and SCRAM
users are listed, given a password and removed (KIP-554). The field lists are those of Kafka's published protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiokafka.protocol.admin import CreateAclsRequest_v1, DeleteAclsRequest_v1
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Array,
    Boolean,
    CompactArray,
    CompactBytes,
    CompactString,
    Int8,
    Int16,
    Int32,
    Schema,
    String,
    TaggedFields,
)

#: SCRAM-SHA-512 by Kafka's own number.
SCRAM_SHA_512 = 2

AclRow = tuple[int, str, int, str, str, int, int]


class CreateAcls(Request[CreateAclsRequest_v1]):
    """Rows: resource type, name, pattern type, principal, host, operation, permission."""

    API_KEY = 30

    def __init__(self, rows: Sequence[AclRow]) -> None:
        self._rows = rows

    def build(self, request_struct_class: type[Any]) -> Any:
        return request_struct_class(list(self._rows))


class DeleteAcls(Request[DeleteAclsRequest_v1]):
    """The same rows, each matching the one ACL that it spells out."""

    API_KEY = 31

    def __init__(self, rows: Sequence[AclRow]) -> None:
        self._rows = rows

    def build(self, request_struct_class: type[Any]) -> Any:
        return request_struct_class(list(self._rows))


class IncrementalAlterConfigsResponseV0(Response):
    API_KEY = 44
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "responses",
            Array(
                ("error_code", Int16),
                ("error_message", String("utf-8")),
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
            ),
        ),
    )


class IncrementalAlterConfigsRequestV0(RequestStruct):
    API_KEY = 44
    API_VERSION = 0
    RESPONSE_TYPE = IncrementalAlterConfigsResponseV0
    SCHEMA = Schema(
        (
            "resources",
            Array(
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
                (
                    "configs",
                    Array(
                        ("name", String("utf-8")),
                        ("config_operation", Int8),
                        ("value", String("utf-8")),
                    ),
                ),
            ),
        ),
        ("validate_only", Boolean),
    )


class IncrementalAlterConfigs(Request[IncrementalAlterConfigsRequestV0]):
    """Sets, or with ``None`` unsets, single settings of one topic."""

    API_KEY = 44

    def __init__(self, topic: str, settings: Sequence[tuple[str, str | None]]) -> None:
        self._topic = topic
        self._settings = settings

    def build(self, request_struct_class: type[Any]) -> Any:
        topic_resource, set_it, delete_it = 2, 0, 1
        configs = [(name, delete_it if value is None else set_it, value) for name, value in self._settings]
        return request_struct_class([(topic_resource, self._topic, configs)], False)


class DescribeUserScramCredentialsResponseV0(Response):
    API_KEY = 50
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("error_message", CompactString("utf-8")),
        (
            "results",
            CompactArray(
                ("user", CompactString("utf-8")),
                ("error_code", Int16),
                ("error_message", CompactString("utf-8")),
                (
                    "credential_infos",
                    CompactArray(("mechanism", Int8), ("iterations", Int32), ("tags", TaggedFields)),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class DescribeUserScramCredentialsRequestV0(RequestStruct):
    FLEXIBLE_VERSION = True
    API_KEY = 50
    API_VERSION = 0
    RESPONSE_TYPE = DescribeUserScramCredentialsResponseV0
    SCHEMA = Schema(
        ("users", CompactArray(("name", CompactString("utf-8")), ("tags", TaggedFields))),
        ("tags", TaggedFields),
    )


class DescribeUserScramCredentials(Request[DescribeUserScramCredentialsRequestV0]):
    """All users that have a SCRAM password, with the mechanism and iterations of each, never the digest."""

    API_KEY = 50

    def build(self, request_struct_class: type[Any]) -> Any:
        return request_struct_class(None, {})


class AlterUserScramCredentialsResponseV0(Response):
    API_KEY = 51
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            CompactArray(
                ("user", CompactString("utf-8")),
                ("error_code", Int16),
                ("error_message", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class AlterUserScramCredentialsRequestV0(RequestStruct):
    FLEXIBLE_VERSION = True
    API_KEY = 51
    API_VERSION = 0
    RESPONSE_TYPE = AlterUserScramCredentialsResponseV0
    SCHEMA = Schema(
        (
            "deletions",
            CompactArray(("name", CompactString("utf-8")), ("mechanism", Int8), ("tags", TaggedFields)),
        ),
        (
            "upsertions",
            CompactArray(
                ("name", CompactString("utf-8")),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class AlterUserScramCredentials(Request[AlterUserScramCredentialsRequestV0]):
    """Removals are users; upsertions are user, iterations, salt and salted password (RFC 5802's ``Hi``)."""

    API_KEY = 51

    def __init__(self, removals: Sequence[str], upsertions: Sequence[tuple[str, int, bytes, bytes]]) -> None:
        self._removals = removals
        self._upsertions = upsertions

    def build(self, request_struct_class: type[Any]) -> Any:
        return request_struct_class(
            [(user, SCRAM_SHA_512, {}) for user in self._removals],
            [
                (user, SCRAM_SHA_512, iterations, salt, salted, {})
                for user, iterations, salt, salted in self._upsertions
            ],
            {},
        )
