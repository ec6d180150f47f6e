"""Apache Kafka's jars, fetched once by Maven into a cache and shared by every process of this machine's user."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.processes import Unavailable, report

POM: Final = Path(__file__).parent.parent / "kafka" / "pom.xml"
JAVA_AT_LEAST: Final = 17
FETCH_DEADLINE_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class KafkaJars:
    """Where the jars are, and the Java that runs them.

    ``class_archive`` need not exist. It is Java's own cache of loaded classes, which halves the time of a start;
    it is of this Java and these jars, and Java ignores one that is not.
    """

    java: str
    directory: Path
    class_archive: Path

    @property
    def class_path(self) -> str:
        """In a fixed order: an archive is only good for the class path that it was made with."""
        return os.pathsep.join(str(jar) for jar in sorted(self.directory.glob("*.jar")))


def cache_directory() -> Path:
    """``SAVINGS_CACHE``, or a folder of the user's own cache."""
    named = os.environ.get("SAVINGS_CACHE")
    return Path(named).expanduser().resolve() if named else Path.home() / ".cache" / "savings-tracker"


def kafka_jars(progress: Callable[[str], None] = report) -> KafkaJars:
    """The jars, fetched first if they are not in the cache. Any number of processes may ask at once: one fetches.

    Raises:
        Unavailable: when there is no Java 17 or later, no Maven, or Maven cannot fetch.
    """
    java, version_text = _java()
    pom = POM.read_text()
    version = re.search(r"<kafka\.version>([^<]+)<", pom)
    if version is None:
        raise Unavailable(f"{POM.name} names no kafka.version")
    # The digest: a changed list of jars is another folder, also when Kafka's version stays.
    name = f"kafka-{version[1]}-{hashlib.sha256(pom.encode()).hexdigest()[:8]}"
    directory = cache_directory() / name
    if not directory.is_dir():
        cache_directory().mkdir(parents=True, exist_ok=True)
        with _lock(cache_directory() / f"{name}.lock", progress):
            if not directory.is_dir():
                _fetch(directory, version[1], progress)
    archive = f"classes-{hashlib.sha256(version_text.encode()).hexdigest()[:8]}.jsa"
    return KafkaJars(java, directory, directory / archive)


def _java() -> tuple[str, str]:
    """The Java to run, and what it says it is."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if java is None:
        raise Unavailable(f"there is no java on the PATH: Kafka needs Java {JAVA_AT_LEAST} or later")
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=True).stderr  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(f"java does not run: {error}") from error
    release = re.search(r'version "(\d+)', said)
    if release is None or int(release[1]) < JAVA_AT_LEAST:
        raise Unavailable(f"Kafka needs Java {JAVA_AT_LEAST} or later; this is {said.splitlines()[0]}")
    return java, said


def _fetch(directory: Path, version: str, progress: Callable[[str], None]) -> None:
    """Gather the jars beside their place, then move them there: the folder exists whole or not at all."""
    maven = shutil.which("mvn")
    if maven is None:
        raise Unavailable("there is no mvn on the PATH: Kafka's jars are fetched with Maven")
    progress(f"Kafka {version}: fetching its jars with Maven, once (about 45 MB)")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=f"{directory.name}.partial-") as partial:
        command = [maven, "-B", "-q", "-f", str(POM), "dependency:copy-dependencies"]
        command += [f"-DoutputDirectory={partial}/jars", "-DincludeScope=runtime"]
        try:
            subprocess.run(  # noqa: S603
                command, capture_output=True, text=True, timeout=FETCH_DEADLINE_SECONDS, check=True
            )
        except subprocess.CalledProcessError as error:
            said = f"{error.stdout[-1000:]}{error.stderr[-500:]}"
            raise Unavailable(f"Maven cannot fetch Kafka's jars:\n{said}") from error
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"Maven did not fetch Kafka's jars in {FETCH_DEADLINE_SECONDS} s") from error
        (Path(partial) / "jars").rename(directory)
    progress(f"Kafka {version}: jars in place after {time.monotonic() - started:.0f} s")


@contextmanager
def _lock(path: Path, progress: Callable[[str], None]) -> Iterator[None]:
    """One process at a time; the lock goes with its holder, however that ends."""
    deadline = time.monotonic() + FETCH_DEADLINE_SECONDS
    told = False
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Unavailable(f"another process has been fetching for {FETCH_DEADLINE_SECONDS} s") from None
                if not told:
                    progress("Kafka: another process is fetching the jars, waiting for it")
                    told = True
                time.sleep(0.2)
            else:
                break
        yield
