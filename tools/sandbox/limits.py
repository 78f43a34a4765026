"""How much a program may use."""

from dataclasses import dataclass, fields

from cogwork.core.errors import ConfigurationError

__all__ = ["MIB", "TEMPORARY_BYTES", "Limits"]

MIB = 1024 * 1024
TEMPORARY_BYTES = 64 * MIB
"""What a sandbox's own /tmp holds, in memory, and its /dev/shm as well."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run of a program may use, all its processes together.

    Args:
        seconds: From start to end.
        cpu_seconds: Of computing.
        memory_bytes: Resident, shared pages counted once.
        processes: At one time; threads count.
        output_bytes: On standard output and standard error together.
        file_bytes: Size of one file.
        disk_bytes: What the work folder may grow to; at most four times as much is written.
        files: The number of files and folders that it may grow to.

    Raises:
        ConfigurationError: One is not positive.
    """

    seconds: float = 30.0
    cpu_seconds: float = 30.0
    memory_bytes: int = 512 * MIB
    processes: int = 64
    output_bytes: int = MIB
    file_bytes: int = 64 * MIB
    disk_bytes: int = 256 * MIB
    files: int = 10_000

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise ConfigurationError(
                    f"the limit {field.name}={getattr(self, field.name)!r} is not positive"
                )
