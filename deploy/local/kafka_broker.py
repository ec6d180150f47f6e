"""A throwaway broker: the real Apache Kafka in one Java process, no Docker, on 127.0.0.1 alone.

    with KafkaBroker() as broker:
        producer = AIOKafkaProducer(**broker.admin.options())

It is broker and controller in one (KRaft), with SASL/SCRAM and ACLs on and nothing allowed but to ``admin``, by the
settings of ``deploy/kafka/access.yaml``. Durable as far as a process goes: ``kill()`` and ``start()`` lose nothing.
"""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from deploy.kafka.cluster import MECHANISM, KafkaConnection
from deploy.kafka.desired import read_desired
from deploy.local.kafka_jars import KafkaJars, kafka_jars
from deploy.local.processes import ServerFailed, end, free_ports, report, spawn, wait_until

ADMIN: Final = "admin"
START_DEADLINE_SECONDS: Final = 60
STOP_DEADLINE_SECONDS: Final = 20
#: Between finding a free port and Kafka's taking it somebody else may; then others are tried.
START_ATTEMPTS: Final = 3

#: By Apache's own system tests, the line that says a broker serves.
_STARTED: Final = b"Kafka Server started"
_LOG4J: Final = Path(__file__).parent.parent / "kafka" / "log4j2.properties"


class KafkaBroker:
    """One broker with its data directory, ports and passwords; it can be stopped, killed and started again.

    Given no ``directory`` it makes one, and ``close`` removes it. Not for use from two threads at once.
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        heap: str = "512m",
        settings: Mapping[str, str] | None = None,
        progress: Callable[[str], None] = report,
    ) -> None:
        """
        Args:
            directory: Where data, configuration and log go; it must be empty or not exist.
            heap: Java's largest heap.
            settings: Broker settings that go over the ones chosen here.
            progress: Told what takes long.
        """
        self._is_ours = directory is None
        self.directory = Path(tempfile.mkdtemp(prefix="savings-kafka-")) if directory is None else directory
        self._heap = heap
        self._settings = dict(settings or {})
        self._progress = progress
        self._jars: KafkaJars | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._password = secrets.token_urlsafe(24)
        self._client_port = self._controller_port = 0

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self._client_port}"

    @property
    def admin(self) -> KafkaConnection:
        """The super user's connection."""
        return KafkaConnection(self.bootstrap_servers, ADMIN, self._password)

    @property
    def log(self) -> Path:
        return self.directory / "broker.log"

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Start it, or start it again on the same data and ports; returns when it serves.

        Raises:
            Unavailable: when there is no Java, or its jars cannot be had.
            ServerFailed: when it does not start.
        """
        if self.pid is not None:
            return
        if self._client_port:
            self._run()
            return
        self._jars = kafka_jars(self._progress)
        for attempts_left in reversed(range(START_ATTEMPTS)):
            self._format()
            try:
                self._run()
            except ServerFailed as error:
                if not attempts_left or "Address already in use" not in str(error):
                    self._client_port = 0
                    raise
            else:
                return

    def stop(self) -> None:
        """SIGTERM and wait; past the deadline SIGKILL. The data stays."""
        if self._process is None:
            return
        archive = self._new_class_archive
        if end(self._process, signal.SIGTERM, STOP_DEADLINE_SECONDS) and archive.exists() and self._jars is not None:
            # Whole, for the process has ended; in one move, for other processes may be looking.
            shutil.copyfile(archive, partial := self._jars.class_archive.with_suffix(f".{os.getpid()}"))
            partial.replace(self._jars.class_archive)
            archive.unlink()
        self._process = None

    def kill(self) -> None:
        """SIGKILL, as a crash would. The data stays."""
        if self._process is not None:
            end(self._process, signal.SIGKILL, STOP_DEADLINE_SECONDS)
            self._process = None

    def close(self) -> None:
        """Stop it for good; the directory goes if it was ours."""
        self.stop()
        if self._is_ours:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _configuration(self) -> Path:
        return self.directory / "server.properties"

    @property
    def _new_class_archive(self) -> Path:
        return self.directory / "classes.jsa"

    def _format(self) -> None:
        """Choose ports, write the configuration and make an empty log that knows the administrator's password."""
        self._client_port, self._controller_port = free_ports(2)
        data = self.directory / "data"
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(parents=True)
        self._configuration.touch(mode=0o600)
        self._configuration.write_text(
            "".join(f"{name}={value}\n" for name, value in {**self._server_settings(data), **self._settings}.items())
        )
        # The password stands on this command line while the tool runs; this broker is thrown away, and on 127.0.0.1.
        command = self._java("-Xmx128m", "-XX:TieredStopAtLevel=1", main="kafka.tools.StorageTool")
        command += ["format", "--standalone", "--cluster-id", _cluster_id(), "--config", str(self._configuration)]
        command += ["--add-scram", f"{MECHANISM}=[name={ADMIN},password={self._password}]"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_DEADLINE_SECONDS, check=False)  # noqa: S603
        if done.returncode:
            raise ServerFailed(f"Kafka's storage cannot be formatted:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")

    def _run(self) -> None:
        archive = self._require_jars().class_archive
        # The first to be stopped in good order leaves Java's archive of classes to all that come after.
        made, to_make = f"-XX:SharedArchiveFile={archive}", f"-XX:ArchiveClassesAtExit={self._new_class_archive}"
        options = (f"-Xmx{self._heap}", made if archive.exists() else to_make)
        command = self._java(*options, "-Xlog:cds=off", "-Xlog:cds+dynamic=off", main="kafka.Kafka")
        already_logged = self.log.stat().st_size if self.log.exists() else 0
        self._process = spawn(
            [*command, str(self._configuration)],
            log=self.log,
            directory=self.directory,
            death_signal=signal.SIGKILL,
        )

        def serves() -> bool:
            with self.log.open("rb") as log:
                log.seek(already_logged)
                return _STARTED in log.read()

        try:
            wait_until(
                serves, process=self._process, log=self.log, what="Kafka", deadline_seconds=START_DEADLINE_SECONDS
            )
        except BaseException:
            self.kill()
            raise

    def _java(self, *options: str, main: str) -> list[str]:
        jars = self._require_jars()
        common = ["-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", "-Djava.net.preferIPv4Stack=true"]
        common += [f"-Dlog4j2.configurationFile={_LOG4J}"]
        return [jars.java, *common, *options, "-cp", jars.class_path, main]

    def _require_jars(self) -> KafkaJars:
        if self._jars is None:
            raise ServerFailed("the broker has not been started yet")
        return self._jars

    def _server_settings(self, data: Path) -> dict[str, str]:
        clients, controller = f"127.0.0.1:{self._client_port}", f"127.0.0.1:{self._controller_port}"
        listeners = f"CLIENTS://{clients},CONTROLLER://{controller}"
        # The controller knows SCRAM users only once it leads, so it signs in to itself with a password of its own.
        control = secrets.token_urlsafe(24)
        plain = f'org.apache.kafka.common.security.plain.PlainLoginModule required username="{ADMIN}"'
        scram = f'org.apache.kafka.common.security.scram.ScramLoginModule required username="{ADMIN}"'
        return {
            **read_desired([]).broker_settings,
            "process.roles": "broker,controller",
            "node.id": "1",
            "log.dirs": str(data),
            "listeners": listeners,
            "advertised.listeners": listeners,
            "listener.security.protocol.map": "CLIENTS:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.bootstrap.servers": controller,
            "inter.broker.listener.name": "CLIENTS",
            "sasl.mechanism.inter.broker.protocol": MECHANISM,
            "sasl.mechanism.controller.protocol": "PLAIN",
            "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.controller.plain.sasl.jaas.config": (
                f'{plain} password="{control}" user_{ADMIN}="{control}";'
            ),
            f"listener.name.clients.{MECHANISM.lower()}.sasl.jaas.config": f'{scram} password="{self._password}";',
            # One broker holds every replica.
            "default.replication.factor": "1",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            # A killed broker is let back in once its old session has run out: 9 s by default, too long for tests.
            "broker.heartbeat.interval.ms": "200",
            "broker.session.timeout.ms": "1500",
            # Tests lose readers on purpose and do not wait for more than they must.
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            # Small, for a machine that runs much else.
            "num.network.threads": "2",
            "num.io.threads": "4",
            "background.threads": "2",
            "num.recovery.threads.per.data.dir": "2",
            "log.cleaner.dedupe.buffer.size": "8388608",
            "log.index.size.max.bytes": "1048576",
        }


def _cluster_id() -> str:
    """A random id in Kafka's writing; it must not begin like an option of the command that it is given to."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return text
