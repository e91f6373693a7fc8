"""What a process that runs foreign code may not do: files, network, other processes, memory.

Three layers, each alone enough for ordinary mistakes. The kernel's own, where it offers them: Landlock (which files may
be read, that nothing outside the work folder may be written) and seccomp (no sockets, no programs, no new processes,
no signals); they hold against hostile code. Resource limits: address space, size of a file, open files. And Python's
audit hooks, which name what was refused, and which code that calls C could get round where the kernel has no better.
Nothing here is undone: a process that is limited stays so.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import struct
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

FILE_BYTES = 16 * 2**20  # the largest file that may be written
OPEN_FILES = 64

# Landlock, from <linux/landlock.h>: the system calls have these numbers on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_FIRST_RIGHTS = (1 << 13) - 1  # of the first version, which kernels have since 5.13
_TRUNCATE = 1 << 14  # since the third
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2

# seccomp: the architecture, how it numbers what is refused, clone and clone3. From the kernel's syscall tables:
# socket socketpair connect bind listen accept accept4 sendto sendmsg, execve execveat fork vfork, kill tkill
# rt_sigqueueinfo pidfd_send_signal, ptrace process_vm_readv process_vm_writev, mount unshare setns, bpf
# perf_event_open, add_key keyctl, io_uring_setup.
_CALLS: dict[str, tuple[int, tuple[int, ...], int, int]] = {
    "x86_64": (
        0xC000003E,
        (41, 53, 42, 49, 50, 43, 288, 44, 46, 59, 322, 57, 58, 62, 200, 129, 424, 101, 310, 311, 165, 272, 308, 321,
         298, 248, 250, 425),
        56, 435,
    ),
    "aarch64": (
        0xC00000B7,
        (198, 199, 203, 200, 201, 202, 242, 206, 211, 221, 281, 129, 130, 138, 424, 117, 270, 271, 40, 97, 268, 280,
         241, 217, 219, 425),
        220, 435,
    ),
}  # fmt: skip
_THREAD = 0x10000  # CLONE_THREAD: threads may be started, processes not

_NETWORK = ("socket.", "urllib.", "http.", "ftplib.", "smtplib.", "imaplib.", "poplib.", "telnetlib.", "nntplib.")
_PROCESSES = ("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "os.kill", "os.killpg",
              "subprocess.Popen", "pty.spawn", "signal.pthread_kill", "resource.prlimit")  # fmt: skip
_C_CODE = ("ctypes.dlsym", "ctypes.dlsym/handle")
_CHANGES = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod",
            "os.chown", "os.utime", "os.setxattr", "os.removexattr", "os.mkfifo", "os.mknod")  # fmt: skip


def limit_resources(memory_mib: int) -> None:
    """Memory, sizes and numbers of files; no core dumps."""
    _lower(resource.RLIMIT_AS, memory_mib * 2**20)
    _lower(resource.RLIMIT_FSIZE, FILE_BYTES)
    _lower(resource.RLIMIT_NOFILE, OPEN_FILES)
    _lower(resource.RLIMIT_CORE, 0)


def confine(work: Path, readable: Iterable[Path]) -> list[str]:
    """Nothing but `work` may be written, nothing but that and `readable` and Python itself be read. No network, no
    programs, no new processes. Returns the kernel's layers that stand: `landlock`, `seccomp`.
    """
    roots = [*_of_python(), *readable]
    standing = []
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0:
        if _landlock(libc, work, roots):
            standing.append("landlock")
        if _seccomp(libc):
            standing.append("seccomp")
    _watch(work, roots)
    return standing


def _lower(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    least = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (least, least))


def _of_python() -> list[Path]:
    """Where Python and its packages lie, and what the C library reads."""
    places = [sys.prefix, sys.base_prefix, sys.exec_prefix, *sys.path, *_SYSTEM]
    return [Path(each).resolve() for each in dict.fromkeys(places) if each and Path(each).exists()]


_SYSTEM = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/usr/share/zoneinfo", "/etc/ld.so.cache",
           "/etc/localtime", "/dev/null", "/dev/zero", "/dev/urandom", "/dev/random", "/sys/devices/system/cpu",
           "/proc/self", "/proc/meminfo", "/proc/cpuinfo", "/proc/stat")  # fmt: skip


# --- the kernel ---------------------------------------------------------------------------------------------------


def _landlock(libc: Any, work: Path, roots: Sequence[Path]) -> bool:
    version = libc.syscall(_CREATE_RULESET, None, 0, 1)
    if version < 1:
        return False
    rights = _FIRST_RIGHTS | (_TRUNCATE if version >= 3 else 0)
    handled = ctypes.create_string_buffer(struct.pack("Q", rights))
    rules = libc.syscall(_CREATE_RULESET, handled, ctypes.c_size_t(8), 0)
    if rules < 0:
        return False
    try:
        allowed = [(root, _EXECUTE | _READ_FILE | _READ_DIR) for root in roots]
        allowed += [(work, rights & ~_EXECUTE), (Path("/dev/null"), _READ_FILE | _WRITE_FILE)]
        for place, given in allowed:
            _allow(libc, rules, place, given)
        return bool(libc.syscall(_RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)


def _allow(libc: Any, rules: int, place: Path, rights: int) -> None:
    try:
        opened = os.open(place, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # it is not there: nothing to allow
    try:
        if not place.is_dir():
            rights &= _EXECUTE | _READ_FILE | _WRITE_FILE | _TRUNCATE
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, opened))
        libc.syscall(_ADD_RULE, rules, 1, rule, 0)
    finally:
        os.close(opened)


def _seccomp(libc: Any) -> bool:
    known = _CALLS.get(platform.machine())
    if known is None:
        return False
    architecture, refused, clone, clone3 = known
    code = _program(architecture, refused, clone, clone3)
    held = ctypes.create_string_buffer(code, len(code))

    class Filter(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("program", ctypes.c_void_p)]

    told = Filter(len(code) // 8, ctypes.addressof(held))
    return bool(libc.prctl(_SET_SECCOMP, _FILTER, ctypes.byref(told), 0, 0) == 0)


def _program(architecture: int, refused: Sequence[int], clone: int, clone3: int) -> bytes:
    """A filter of the kernel's packet language: system calls of that architecture, but for those refused.

    Each step is operation, jump if true, jump if false, operand. `refuse`, `missing` and `allow` are the last three.
    """
    load, equal, at_least, has_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    steps: list[tuple[int, str, str, int]] = [
        (load, "", "", 4), (equal, "", "refuse", architecture),
        (load, "", "", 0), (at_least, "refuse", "", 0x40000000),  # the x32 calls of x86_64
        *[(equal, "refuse", "", call) for call in refused],
        (equal, "missing", "", clone3),  # the C library then falls back to clone, whose flags can be looked at
        (equal, "", "allow", clone),
        (load, "", "", 16), (has_bit, "allow", "refuse", _THREAD),
    ]  # fmt: skip
    ends = {"refuse": len(steps), "missing": len(steps) + 1, "allow": len(steps) + 2}
    out = b"".join(
        struct.pack("HBBI", operation, *(ends[to] - here - 1 if to else 0 for to in (true, false)), operand)
        for here, (operation, true, false, operand) in enumerate(steps)
    )
    results = (0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS, 0x7FFF0000)
    return out + b"".join(struct.pack("HBBI", give, 0, 0, result) for result in results)


# --- Python -------------------------------------------------------------------------------------------------------


def _watch(work: Path, roots: Sequence[Path]) -> None:
    """Refuse what the kernel may not, and say what it was."""
    home = work.resolve()
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

    def inside(place: Any, *others: Path) -> bool:
        if isinstance(place, int):
            return True  # a descriptor that is open already
        try:
            real = Path(os.path.realpath(os.fsdecode(place)))
        except (TypeError, ValueError):
            return False
        return any(real == root or root in real.parents for root in (home, *others))

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            place, mode, flags = arguments
            writes = bool((flags or 0) & writing) or any(letter in (mode or "") for letter in "wax+")
            if os.fsdecode(place) != os.devnull if isinstance(place, str | bytes) else True:
                if writes and not inside(place):
                    refuse(f"writing {place!r}")
                if not writes and not inside(place, *roots):
                    refuse(f"reading {place!r}")
        elif event.startswith(_NETWORK):
            refuse(f"the network ({event})")
        elif event in _PROCESSES:
            refuse(f"other processes ({event})")
        elif event in _C_CODE or (event == "ctypes.dlopen" and arguments[0] is not None):
            refuse(f"calling C code ({event})")
        elif event in _CHANGES and not all(inside(each) for each in arguments[:2] if isinstance(each, str | bytes)):
            refuse(f"changing files ({event} {arguments[0]!r})")

    def refuse(what: str) -> None:
        raise PermissionError(errno.EPERM, f"not allowed here: {what}")

    sys.addaudithook(look)
