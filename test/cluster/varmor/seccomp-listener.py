"""A listener for SCMP_ACT_NOTIFY: seccomp-listener.py SOCKET. Refuses each notified call with "No space left on device".

A runtime connects for each process with the profile, and sends the descriptor of the process's filter (OCI runtime
specification, listenerPath). seccomp_unotify(2) describes the notifications and answers.
"""
import array
import errno
import fcntl
import os
import socket
import struct
import sys
import threading

RECEIVE, SEND = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND


def answer(descriptor):
    """Answers notifications until the last process with the filter has ended."""
    while True:
        question = bytearray(80)
        try:
            fcntl.ioctl(descriptor, RECEIVE, question)
            (identity,) = struct.unpack_from("=Q", question)
            fcntl.ioctl(descriptor, SEND, struct.pack("=QqiI", identity, 0, -errno.ENOSPC, 0))
        except OSError as error:
            # ENOENT: the process that made the call was killed in the meantime.
            if error.errno in (errno.ENOENT, errno.EINTR):
                continue
            break
    os.close(descriptor)


def filters_of(connection):
    """The descriptors that came with the first message: one, or two where the process itself is sent as a pidfd."""
    _, control, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(4 * 4))
    found = array.array("i")
    for level, kind, data in control:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return found


server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
print("listening", flush=True)
while True:
    connection, _ = server.accept()
    for descriptor in filters_of(connection):
        threading.Thread(target=answer, args=(descriptor,), daemon=True).start()
    connection.close()
