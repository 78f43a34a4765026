"""The best sandbox that this machine has for a language."""

from collections.abc import Callable, Sequence

from cogwork.tools.sandbox.host import UnsafeHost
from cogwork.tools.sandbox.probes import LADDER, Finding, probe_sandbox
from cogwork.tools.sandbox.result import Backend, Language, SandboxError

__all__ = ["choose"]


def choose(
    language: Language,
    *,
    unsafe_host: bool = False,
    probe: Callable[[], Sequence[Finding]] = probe_sandbox,
) -> Backend:
    """Return the backend that is to run `language`.

    Args:
        language: Of the program.
        unsafe_host: Whether programs run on the host, without any sandbox.
        probe: What says which backends can be trusted.

    Raises:
        SandboxError: There is none; it says what would change that.
    """
    if unsafe_host:
        return UnsafeHost()
    findings = {finding.backend: finding for finding in probe()}
    able = [backend for backend in LADDER if language in backend.languages]
    for backend in able:
        if findings[backend.name].usable:
            return backend
    reasons = "; ".join(findings[backend.name].reason() for backend in able)
    raise SandboxError(
        f"{language} code is not run: this machine has no sandbox for it ({reasons}). Install "
        "bubblewrap, allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, or "
        "kernel.apparmor_restrict_unprivileged_userns=0), or run it in a container that allows "
        "them. make_run_code(unsafe_host=True) runs code unprotected, if you answer for it"
    )
