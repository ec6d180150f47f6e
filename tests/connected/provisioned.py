"""What the access tests know of the broker: two councils on it, and how to be anybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deploy.kafka.desired import council_inbox, council_user
from deploy.kafka.provision import KafkaConnection


@dataclass(frozen=True, slots=True)
class Provisioned:
    """A broker that holds what the files say for two councils, and everybody's password."""

    admin: KafkaConnection
    passwords: Mapping[str, str]
    own: str
    other: str

    def council(self, register: str) -> KafkaConnection:
        return self.user(council_user(register))

    def user(self, name: str) -> KafkaConnection:
        return self.admin.as_user(name, self.passwords[name])

    def inbox(self, register: str) -> str:
        return council_inbox(register)
