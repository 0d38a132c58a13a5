"""Clients that read slowly, or not at all.

A program, not a module: `slow.mjs` starts it and speaks JSON lines with it. It exists because Node.js cannot set
SO_RCVBUF, and a client that holds a megabyte in its kernel is not slow for a long time. One thread, one poll loop,
standard library only.

Commands, each answered with one line:
  {"cmd": "open", "count", "host", "port", "namespace", "topic", "rcvbuf", "ca"?}   connects (with TLS
                                  where "ca" is what it trusts) and subscribes
  {"cmd": "stop"}                 reads no more
  {"cmd": "read", "bps": N}       reads N bytes a second, each client
  {"cmd": "resume"}               reads all there is
  {"cmd": "mark"}                 reports count from here on
  {"cmd": "report", "seqs": bool} what each client got since the mark
"""

import base64
import json
import os
import select
import socket
import ssl
import struct
import sys
import time

TURN_S = 0.02
CHUNK = 65536
READS_A_TURN = 64
# What a slow line saves up: a machine that is busy elsewhere must not make it slower still.
SAVED_S = 1.0


class Client:
    """One websocket, one namespace, one topic."""

    def __init__(self, order):
        self.namespace = order["namespace"]
        self.topic = order["topic"]
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        # Before connect: the window is agreed upon in the handshake.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, order.get("rcvbuf", 4096))
        self.socket.connect((order["host"], order["port"]))
        if "ca" in order:
            trust = ssl.create_default_context(cadata=order["ca"])
            self.socket = trust.wrap_socket(self.socket, server_hostname=order["host"])
        self.buffer = bytearray()
        self.fragments = bytearray()
        # Bytes a second, None for all there is, 0 for none.
        self.rate = None
        self.allowance = 0.0
        self.subscribed = False
        self.closed = None
        self.pings = 0
        # What the server said beside messages.
        self.said = []
        self.mark()
        self.shake_hands(order["host"])
        self.socket.setblocking(False)

    def mark(self):
        self.bytes = 0
        self.messages = 0
        self.seqs = []
        self.last = None

    def shake_hands(self, host):
        key = base64.b64encode(os.urandom(16)).decode()
        request = (
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
            f"Host: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        self.socket.settimeout(10)
        self.socket.sendall(request.encode())
        head = bytearray()
        while b"\r\n\r\n" not in head:
            part = self.socket.recv(1)
            if not part:
                raise ConnectionError("closed in the handshake")
            head += part
        if b" 101 " not in head.split(b"\r\n", 1)[0]:
            raise ConnectionError(head.decode(errors="replace"))

    def send(self, text, opcode=1):
        data = text.encode() if isinstance(text, str) else bytes(text)
        mask = os.urandom(4)
        if len(data) < 126:
            head = struct.pack("!BB", 0x80 | opcode, 0x80 | len(data))
        else:
            head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, len(data))
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
        try:
            # Small and rare: the kernel always has room for it.
            self.socket.send(head + mask + masked)
        except OSError as error:
            self.end(error)

    def grant(self, seconds):
        """Lets a slow reader read on. What it does not use within a second is lost: a slow line does not save up."""
        if self.rate:
            self.allowance = min(self.allowance + self.rate * seconds, self.rate * SAVED_S)

    def has_decrypted(self):
        """Whether TLS holds bytes that poll does not know of."""
        return self.closed is None and isinstance(self.socket, ssl.SSLSocket) and self.socket.pending() > 0

    def wants_to_read(self):
        return self.closed is None and (self.rate is None or self.allowance >= 1)

    def read(self):
        """Reads what it may. One read gives one TLS record at most, so it takes several."""
        for _ in range(READS_A_TURN):
            # A command of the same turn may have stopped it; and reading zero bytes looks like the end.
            if not self.wants_to_read() or not self.read_once():
                return

    def read_once(self):
        limit = CHUNK if self.rate is None else min(CHUNK, int(self.allowance))
        try:
            data = self.socket.recv(limit)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError as error:
            self.end(error)
            return False
        if not data:
            self.end(None)
            return False
        if self.rate is not None:
            self.allowance -= len(data)
        self.bytes += len(data)
        self.buffer += data
        while self.take_frame():
            pass
        return True

    def end(self, error):
        if self.closed is None:
            self.closed = "reset" if isinstance(error, ConnectionResetError) else str(error or "end of stream")
            self.socket.close()

    def look_for_end(self):
        """A client that does not read still feels a reset; poll tells it with no event asked for."""
        error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self.end(ConnectionResetError() if error == 104 else OSError(error, os.strerror(error)))

    def take_frame(self):
        """Takes one websocket frame from the buffer, if one is complete. A server masks nothing."""
        buffer = self.buffer
        if len(buffer) < 2:
            return False
        length, start = buffer[1] & 0x7F, 2
        if length == 126:
            if len(buffer) < 4:
                return False
            length, start = struct.unpack_from("!H", buffer, 2)[0], 4
        elif length == 127:
            if len(buffer) < 10:
                return False
            length, start = struct.unpack_from("!Q", buffer, 2)[0], 10
        if len(buffer) < start + length:
            return False
        final, opcode = buffer[0] & 0x80, buffer[0] & 0x0F
        payload = bytes(buffer[start : start + length])
        del buffer[: start + length]
        if opcode == 8:
            self.end(None)
            return False
        if opcode == 9:
            self.send(payload, opcode=10)
        elif opcode in (0, 1):
            self.fragments += payload
            if final:
                text, self.fragments = self.fragments.decode(), bytearray()
                self.take_packet(text)
        return self.closed is None

    def take_packet(self, packet):
        head = f"42{self.namespace},"
        if packet == "2":
            self.pings += 1
            self.send("3")
        elif packet.startswith("0"):
            self.send(f"40{self.namespace},")
        elif packet.startswith(f"40{self.namespace},"):
            self.send(head + json.dumps(["subscribe", {"topic": self.topic}]))
        elif packet.startswith(head):
            event, *arguments = json.loads(packet[len(head) :])
            if event == "subscribed":
                self.subscribed = True
            elif event == self.topic:
                self.messages += 1
                self.last = arguments[0]["seq"]
                self.seqs.append(self.last)
            else:
                self.said.append([event, *arguments])

    def report(self, with_seqs):
        report = {"messages": self.messages, "bytes": self.bytes, "last": self.last, "pings": self.pings, "closed": self.closed, "said": self.said}
        if with_seqs:
            report["seqs"] = self.seqs
        return report


class Crowd:
    """All clients and the one loop that serves them and the commands."""

    def __init__(self):
        self.clients = []
        self.pending = bytearray()

    def run(self):
        os.set_blocking(0, False)
        looked = time.monotonic()
        while True:
            now = time.monotonic()
            for client in self.clients:
                client.grant(now - looked)
            looked = now
            if not self.turn():
                return

    def turn(self):
        """Waits for the next thing to happen, at most one turn while somebody reads at a rate."""
        poll = select.poll()
        poll.register(0, select.POLLIN)
        by_fd = {}
        throttled = False
        for client in self.clients:
            if client.closed is None:
                by_fd[client.socket.fileno()] = client
                poll.register(client.socket.fileno(), select.POLLIN if client.wants_to_read() else 0)
                throttled = throttled or bool(client.rate)
        decrypted = [client for client in self.clients if client.has_decrypted() and client.wants_to_read()]
        for client in decrypted:
            client.read()
        for fd, events in poll.poll(0 if decrypted else TURN_S * 1000 if throttled else 1000):
            if fd == 0:
                if not self.take_commands():
                    return False
            elif events & select.POLLIN:
                by_fd[fd].read()
            elif events & (select.POLLERR | select.POLLHUP):
                by_fd[fd].look_for_end()
        if throttled:
            # Else a fast loop would busy-wait on tiny allowances.
            time.sleep(TURN_S / 2)
        return True

    def take_commands(self):
        data = os.read(0, CHUNK)
        if not data:
            return False
        self.pending += data
        while b"\n" in self.pending:
            line, _, rest = bytes(self.pending).partition(b"\n")
            self.pending = bytearray(rest)
            try:
                answer = self.obey(json.loads(line))
            except Exception as error:  # The test must see whatever goes wrong here.
                answer = {"error": f"{type(error).__name__}: {error}"}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
        return True

    def obey(self, order):
        command = order["cmd"]
        if command == "open":
            self.clients += [Client(order) for _ in range(order["count"])]
            return {"opened": order["count"]}
        if command == "ready":
            return {"ready": all(client.subscribed for client in self.clients)}
        if command == "report":
            return {"clients": [client.report(order.get("seqs", False)) for client in self.clients]}
        for client in self.clients:
            if command == "stop":
                client.rate, client.allowance = 0, 0.0
            elif command == "read":
                client.rate, client.allowance = order["bps"], 0.0
            elif command == "resume":
                client.rate = None
            elif command == "mark":
                client.mark()
            else:
                raise ValueError(f"unknown command {command}")
        return {"done": command}


if __name__ == "__main__":
    Crowd().run()
