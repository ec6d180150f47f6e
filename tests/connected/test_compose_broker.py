"""The broker's own file of ``docker-compose.yml``, on the real Kafka: it starts, and takes users by both doors."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import TopicAuthorizationFailedError

from deploy.kafka.desired import read_desired
from deploy.kafka.provision import KafkaConnection, apply, plan
from deploy.local.kafka_broker import KafkaBroker
from deploy.local.kafka_jars import kafka_jars
from deploy.local.processes import end, free_ports, spawn, wait_until
from deploy.new_secrets import new_secrets


@dataclass(frozen=True)
class Composed:
    services: str
    councils: str
    secrets: Path

    def password(self, user: str) -> str:
        return (self.secrets / f"kafka_password_{user}").read_text()


@pytest.fixture(scope="module")
def composed(kafka_broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    """The container's file, with this machine's folders, ports and name in place of the container's."""
    folder = tmp_path_factory.mktemp("composed")
    new_secrets(folder / "secrets", ["ESX", "KEN"], "localhost")
    services, controller, councils = free_ports(3)
    text = Path("deploy/kafka/server.properties").read_text(encoding="utf-8")
    for container, here in (
        ("/run/secrets", str(folder / "secrets")),
        ("/var/lib/kafka/data", str(folder / "data")),
        ("SERVICES://kafka:9092", f"SERVICES://localhost:{services}"),
        (":9092", f"localhost:{services}"),
        (":9093", f":{controller}"),
        (":9094", f":{councils}"),
    ):
        assert container in text
        text = text.replace(container, here)
    properties, log = folder / "server.properties", folder / "log"
    properties.write_text(text)
    jars = kafka_jars()
    java = [jars.java, "-Xmx512m", "-XX:+UseSerialGC", "-Djava.net.preferIPv4Stack=true"]
    java += ["-Dlog4j2.configurationFile=deploy/kafka/log4j2.properties", "-cp", jars.class_path]
    password = (folder / "secrets" / "kafka_password_admin").read_text()
    environment = {"KAFKA_PUBLIC_NAME": "localhost", "PATH": os.environ["PATH"]}
    formatting = [*java, "kafka.tools.StorageTool", "format", "--standalone", "--config", str(properties)]
    formatting += ["--cluster-id", "5L6g3nShT-eMCtK--X86sw"]
    formatting += ["--add-scram", f"SCRAM-SHA-512=[name=admin,password={password}]"]
    done = subprocess.run(formatting, check=False, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    process = spawn(
        [*java, "kafka.Kafka", str(properties)],
        log=log,
        directory=Path.cwd(),
        death_signal=signal.SIGKILL,
        environment=environment,
    )
    try:
        wait_until(
            lambda: b"Kafka Server started" in log.read_bytes(),
            process=process,
            log=log,
            what="Kafka",
            deadline_seconds=60,
        )
        yield Composed(f"localhost:{services}", f"localhost:{councils}", folder / "secrets")
    finally:
        end(process, signal.SIGTERM, 20)


@pytest.mark.long
async def test_it_is_provisioned_inside_and_a_council_comes_in_encrypted_from_outside(composed: Composed) -> None:
    desired = read_desired(["ESX", "KEN"], replication_factor=1)
    passwords = dict.fromkeys(desired.users, "a password of a test")
    admin = KafkaConnection(composed.services, "admin", composed.password("admin"))
    await apply(await plan(admin, desired, passwords))
    assert not await plan(admin, desired, passwords)

    trusted = ssl.create_default_context(cafile=str(composed.secrets / "kafka_certificate_for_councils"))
    council = KafkaConnection(composed.councils, "council-ESX", passwords["council-ESX"], "SASL_SSL", trusted)
    producer = AIOKafkaProducer(**council.options(), acks="all")
    await producer.start()
    try:
        await producer.send_and_wait("savings.inbox.ESX", b"{}")
        with pytest.raises(TopicAuthorizationFailedError):
            await producer.send_and_wait("savings.inbox.KEN", b"{}")
    finally:
        await producer.stop()


async def test_nobody_reads_a_password_off_the_wire_from_outside(composed: Composed) -> None:
    host, port = composed.councils.split(":")
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.open_connection(host, int(port), ssl=ssl.create_default_context())
