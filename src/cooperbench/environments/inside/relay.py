"""Inside the sandbox: carries connections to a loopback port over stdin and stdout. Standard library only, Python 3.6 or later.

`loopback.py` sends it as text and describes the frames. One thread: it never waits for a single connection, because each may
have only WINDOW bytes under way. The argument is the port, 0 for any.
"""

import os
import select
import socket
import struct
import sys

HEAD = struct.Struct(">IBI")
OPEN, DATA, END, RESET, CREDIT, READY = range(6)
WINDOW = 1 << 20
CHUNK = 1 << 16
READABLE = select.POLLIN | select.POLLHUP | select.POLLERR


class Connection:
    """One accepted connection."""

    def __init__(self, number, peer):
        self.number = number
        self.peer = peer
        self.credit = WINDOW
        self.waiting = bytearray()
        self.host_ended = False
        self.peer_ended = False

    def interest(self):
        """Return the events to wait for."""
        events = select.POLLIN if self.credit > 0 and not self.peer_ended else 0
        return events | (select.POLLOUT if self.waiting else 0)


class Relay:
    """All connections of one port."""

    def __init__(self, listener):
        self.listener = listener
        self.connections = {}
        self.descriptors = {}
        self.numbers = 0
        self.buffer = bytearray()

    def serve(self):
        """Run until the host hangs up."""
        while True:
            poll = select.poll()
            poll.register(0, select.POLLIN)
            poll.register(self.listener, select.POLLIN)
            for connection in self.connections.values():
                poll.register(connection.peer, connection.interest())
            for descriptor, events in poll.poll():
                if descriptor == 0:
                    self.receive()
                elif descriptor == self.listener.fileno():
                    self.accept()
                elif descriptor in self.descriptors:
                    self.move(self.descriptors[descriptor], events)

    def move(self, connection, events):
        """Carry what a connection is ready for."""
        try:
            if events & select.POLLOUT and connection.waiting:
                sent = connection.peer.send(connection.waiting)
                del connection.waiting[:sent]
                send(connection.number, CREDIT, struct.pack(">I", sent))
                self.end_output(connection)
            if events & READABLE and connection.peer_ended:
                raise OSError("both ways are over for the peer")
            if events & READABLE and connection.credit > 0:
                data = connection.peer.recv(min(CHUNK, connection.credit))
                connection.credit -= len(data)
                connection.peer_ended = not data
                send(connection.number, DATA if data else END, data)
        except BlockingIOError:
            pass
        except OSError:
            send(connection.number, RESET)
            self.close(connection)
        self.close_finished(connection)

    def accept(self):
        """Take a new connection."""
        try:
            peer, _ = self.listener.accept()
        except OSError:
            return
        peer.setblocking(False)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.numbers += 1
        connection = Connection(self.numbers, peer)
        self.connections[connection.number] = connection
        self.descriptors[peer.fileno()] = connection
        send(connection.number, OPEN)

    def receive(self):
        """Take what the host sent."""
        data = os.read(0, CHUNK)
        if not data:
            os._exit(0)
        self.buffer += data
        while len(self.buffer) >= HEAD.size:
            number, kind, size = HEAD.unpack_from(self.buffer)
            if len(self.buffer) < HEAD.size + size:
                return
            data = bytes(self.buffer[HEAD.size : HEAD.size + size])
            del self.buffer[: HEAD.size + size]
            connection = self.connections.get(number)
            if connection is not None:
                self.obey(connection, kind, data)

    def obey(self, connection, kind, data):
        """Do what a frame says."""
        if kind == DATA:
            connection.waiting += data
        elif kind == CREDIT:
            connection.credit += struct.unpack(">I", data)[0]
        elif kind == END:
            connection.host_ended = True
            self.end_output(connection)
            self.close_finished(connection)
        elif kind == RESET:
            self.close(connection)

    def end_output(self, connection):
        """Tell the peer that nothing more comes, once it has everything."""
        if connection.host_ended and not connection.waiting:
            try:
                connection.peer.shutdown(socket.SHUT_WR)
            except OSError:
                pass

    def close_finished(self, connection):
        """Close a connection that is over both ways."""
        if connection.host_ended and connection.peer_ended and not connection.waiting:
            self.close(connection)

    def close(self, connection):
        """Forget a connection."""
        if self.connections.pop(connection.number, None) is not None:
            del self.descriptors[connection.peer.fileno()]
            connection.peer.close()


def send(number, kind, data=b""):
    """Write one frame; the host always reads."""
    view = memoryview(HEAD.pack(number, kind, len(data)) + data)
    while view:
        view = view[os.write(1, view) :]


def main():
    """Listen, and say where."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", int(sys.argv[1])))
        listener.listen(64)
    except OSError as error:
        send(0, RESET, str(error.strerror).encode())
        return
    listener.setblocking(False)
    send(0, READY, b"%d" % listener.getsockname()[1])
    try:
        Relay(listener).serve()
    except OSError:  # the host has hung up
        os._exit(0)


main()
