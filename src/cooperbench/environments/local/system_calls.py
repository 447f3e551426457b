"""The system calls that a local sandbox may not make, as a filter for seccomp(2).

Namespaces keep a sandbox from the host's files and processes; the kernel itself stays reachable through every system call. Those that
only administrators need, and those behind most escapes of recent years (user namespaces, io_uring, bpf, keyrings), are refused. So
is the kernel's log, which outlives a sandbox: any program writes to it by its faults, and what one suite expects is nobody's to tell the next. The
first process of the sandbox installs the filter, and everything in it inherits it.
"""

import errno
import platform
import struct
from pathlib import Path

NEW_USER = 0x10000000
"""CLONE_NEWUSER. In a user namespace of its own a process has all capabilities, and so more of the kernel to attack."""
TERMINAL_INPUT = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX, which type into a terminal."""

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# clone, unshare, ioctl; then what is refused: setns, bpf, perf_event_open, userfaultfd, kexec_load, kexec_file_load, init_module,
# finit_module, delete_module, add_key, request_key, keyctl, open_by_handle_at, quotactl, swapon, swapoff, reboot, acct, mount, umount2,
# pivot_root, syslog. Numbers from asm/unistd.h.
_NUMBERS = {
    "x86_64": (
        (56, 272, 16),
        (308, 321, 298, 323, 246, 320, 175, 313, 176, 248, 249, 250, 304, 179, 167, 168, 169, 163, 165, 166, 155, 103),
    ),
    "aarch64": (
        (220, 97, 29),
        (268, 280, 241, 282, 104, 294, 105, 273, 106, 217, 218, 219, 265, 60, 224, 225, 142, 89, 40, 39, 41, 116),
    ),
}
_NEWER = (428, 429, 430, 431, 432, 433, 442)
"""open_tree, move_mount, fsopen, fsconfig, fsmount, fspick, mount_setattr: the same numbers everywhere."""
_ABSENT = (425, 426, 427, 435)
"""io_uring_setup, io_uring_enter, io_uring_register, clone3, whose flags a filter cannot see. Programs have another way."""

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND = 0, 4, 16, 24
"""Offsets in `struct seccomp_data`; of the arguments the lower half, on machines with the least byte first."""
_OTHER_ABI = 0x40000000


def filter_program(machine: str | None = None) -> bytes:
    """Return the filter for a kind of processor, by default this one's; empty where there is none."""
    machine = machine or platform.machine()
    if machine not in _NUMBERS:
        return b""
    (clone, unshare, ioctl), refused = _NUMBERS[machine]
    absent = _ERROR | errno.ENOSYS
    program = [_step(_LOAD, _ARCHITECTURE), _step(_EQUAL, _ARCHITECTURES[machine], 1, 0), _step(_RETURN, absent)]
    program += [_step(_LOAD, _NUMBER), _step(_AT_LEAST, _OTHER_ABI, 0, 1), _step(_RETURN, absent)]
    for numbers, answer in (((*refused, *_NEWER), _ERROR | errno.EPERM), (_ABSENT, absent)):
        for number in numbers:
            program += [_step(_EQUAL, number, 0, 1), _step(_RETURN, answer)]
    for number in (clone, unshare):
        program += [_step(_EQUAL, number, 0, 4), _step(_LOAD, _FIRST), _step(_ANY_BIT, NEW_USER, 0, 1)]
        program += [_step(_RETURN, _ERROR | errno.EPERM), _step(_RETURN, _ALLOW)]
    program += [_step(_EQUAL, ioctl, 0, 4), _step(_LOAD, _SECOND), _step(_EQUAL, TERMINAL_INPUT[0], 1, 0)]
    program += [_step(_EQUAL, TERMINAL_INPUT[1], 0, 1), _step(_RETURN, _ERROR | errno.EPERM), _step(_RETURN, _ALLOW)]
    return b"".join(program)


def describe() -> str:
    """Say whether system calls are filtered on this machine."""
    if not filter_program():
        return f"system calls are not filtered on {platform.machine()}"
    if not Path("/proc/sys/kernel/seccomp").exists():
        return "system calls are not filtered: this kernel has no seccomp"
    return "system calls are filtered"


def _step(code: int, value: int, when_true: int = 0, when_false: int = 0) -> bytes:
    """Encode one instruction, `struct sock_filter`."""
    return struct.pack("=HBBI", code, when_true, when_false, value)
