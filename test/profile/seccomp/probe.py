"""Loads seccomp profiles as runc does and makes system calls under them.

Standard input: {"profile": OCI JSON, "calls": [{"name": ..., "args": [...], "i386": bool}]}.
Standard output: a list with, for each call, [errno without the profile, errno with it]; 0 for success, null
where this machine has no such call. Each call is made in a child of its own.
"""

import ctypes
import json
import mmap
import os
import sys

import seccomp

libc = ctypes.CDLL(None, use_errno=True)
ACTIONS = {
    'SCMP_ACT_ALLOW': seccomp.ALLOW,
    'SCMP_ACT_LOG': seccomp.LOG,
    'SCMP_ACT_KILL': seccomp.KILL,
    'SCMP_ACT_KILL_PROCESS': seccomp.KILL_PROCESS,
}
OPERATORS = {
    'SCMP_CMP_NE': seccomp.NE, 'SCMP_CMP_LT': seccomp.LT, 'SCMP_CMP_LE': seccomp.LE, 'SCMP_CMP_EQ': seccomp.EQ,
    'SCMP_CMP_GE': seccomp.GE, 'SCMP_CMP_GT': seccomp.GT, 'SCMP_CMP_MASKED_EQ': seccomp.MASKED_EQ,
}


def action(name, errno):
    return seccomp.ERRNO(1 if errno is None else errno) if name == 'SCMP_ACT_ERRNO' else ACTIONS[name]


def build(profile):
    default = action(profile['defaultAction'], profile.get('defaultErrnoRet'))
    built = seccomp.SyscallFilter(default)
    built.set_attr(seccomp.Attr.CTL_NNP, 0 if os.geteuid() == 0 else 1)
    for arch in profile.get('architectures', []):
        arch = getattr(seccomp.Arch, arch.replace('SCMP_ARCH_', ''))
        if not built.exist_arch(arch):
            built.add_arch(arch)
    for entry in profile.get('syscalls', []):
        act = action(entry['action'], entry.get('errnoRet'))
        args = [
            seccomp.Arg(a['index'], OPERATORS[a['op']], a['value'], a.get('valueTwo', 0)) for a in entry.get('args', [])
        ]
        if len({a['index'] for a in entry.get('args', [])}) < len(args):
            raise ValueError('an argument is compared twice')
        for name in entry['names']:
            number = seccomp.resolve_syscall(seccomp.Arch.NATIVE, name)
            # runc passes over names that this libseccomp does not know, and over rules that do what the default does.
            if number != -1 and act != default:
                built.add_rule(act, number, *args)
    return built


def interrupt(name, args):
    """Makes a call by the 32-bit ABI of x86: push rbx; eax, ebx, ecx = edi, esi, edx; int 0x80; pop rbx; ret."""
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b'\x53\x89\xf8\x89\xf3\x89\xd1\xcd\x80\x5b\xc3')
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint)(address)
    result = call(seccomp.resolve_syscall(seccomp.Arch.X86, name), *(args + [0, 0])[:2])
    return -result if -4096 < result < 0 else 0


def direct(name, args):
    number = seccomp.resolve_syscall(seccomp.Arch.NATIVE, name)
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_ulong(arg) for arg in args])
    return ctypes.get_errno() if result == -1 else 0


def attempt(call, profile):
    """The errno of a call in a child; negative, the signal that ended it. A child that the call itself makes leaves at once."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        me = os.getpid()
        if profile is not None:
            build(profile).load()
        made = (interrupt if call.get('i386') else direct)(call['name'], call.get('args', []))
        if os.getpid() == me:
            os.write(writer, str(made).encode())
        os._exit(0)
    os.close(writer)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reader, 'rb') as result:
        text = result.read()
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else int(text) if text else None


def exists(call):
    if not call.get('i386'):
        return seccomp.resolve_syscall(seccomp.Arch.NATIVE, call['name']) >= 0
    return os.uname().machine == 'x86_64' and attempt({'name': 'getpid', 'i386': True}, None) == 0


def main():
    request = json.load(sys.stdin)
    results = []
    for job in request:
        build(job['profile'])
        results.append([
            [attempt(call, None), attempt(call, job['profile'])] if exists(call) else None for call in job['calls']
        ])
    json.dump(results, sys.stdout)


main()
