"""The contract as a second implementation sees it: python-socketio over websocket and polling.

It is the library's asynchronous client. The one with threads hands every packet to a thread of its own, which loses
their order, and reads and writes one TLS connection in two threads at once, which CPython's `ssl` does not survive.
"""

import asyncio
import base64
import http.client
import json
import os
import queue
import signal
import ssl
import subprocess
import tempfile
import threading
import unittest

import aiohttp
import engineio.payload
import socketio

# python-engineio takes at most 16 packets from one poll and hangs up at more, which any burst over polling makes.
# This is its documented way to take as many as a server may send.
engineio.payload.Payload.max_decode_packets = 256

SOON_S = 10
CONFIG = """
servers:
  feed:
    host: 127.0.0.1
    port: 0
    shutdownDrainMs: 1000
    auth: TOKEN
    staticTokens: {ann: a token of hers}
    namespaces:
      - path: /feed
        topics: [delta]
        overflowAction: DROP_OLDEST
        maxQueuedMessagesPerClient: 512
      - path: /relay
        topics: [chat]
        clientPublish: relay
      - path: /members
        topics: [chat]
        authRequired: true
      - path: /alerts
        topics: [alert]
        deliveryMode: AT_LEAST_ONCE
        maxQueuedMessagesPerClient: 512
        maxInFlight: 8
        ackTimeoutMs: 500
        maxRetries: 2
"""

TLS = """    transport: WSS
    tls: {certChainPemPath: chain.pem, privateKeyPemPath: key.pem}
"""
CERTIFICATES = os.path.join(os.path.dirname(__file__), "..", "lib", "certificate.mjs")


class Server:
    """The binary under test."""

    def __init__(self, with_tls):
        self.folder = tempfile.TemporaryDirectory(prefix="streamfence-e2e-")
        self.with_tls = with_tls
        path = os.path.join(self.folder.name, "streamfence.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(CONFIG.replace("    port: 0\n", "    port: 0\n" + TLS, 1) if with_tls else CONFIG)
        if with_tls:
            subprocess.run(["node", CERTIFICATES, self.folder.name], check=True)
        self.process = subprocess.Popen(
            [os.environ["STREAMFENCE_BIN"], "serve", "-c", path, "--admin-listen", "127.0.0.1:0", "--log-format", "json"],
            cwd=self.folder.name,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addresses = {}
        self.log = []
        self.listening = threading.Event()
        self.reader = threading.Thread(target=self.read_log, daemon=True)
        self.reader.start()
        if not self.listening.wait(SOON_S):
            self.process.kill()
            raise AssertionError("the server does not listen:\n" + "".join(self.log))

    def read_log(self):
        for line in self.process.stderr:
            self.log.append(line)
            try:
                event = json.loads(line)
            except ValueError:
                continue
            fields = event.get("fields", event)
            if fields.get("message") == "listening":
                self.addresses[fields["server"]] = fields["address"]
                if {"feed", "admin"} <= self.addresses.keys():
                    self.listening.set()

    @property
    def url(self):
        return ("https://" if self.with_tls else "http://") + self.addresses["feed"]

    @property
    def trusted(self):
        """What a client is to trust; without TLS, whatever it does."""
        if not self.with_tls:
            return True
        return ssl.create_default_context(cafile=os.path.join(self.folder.name, "ca.pem"))

    def publish(self, namespace, topic, payload=None, **options):
        body = {"namespace": namespace, "topic": topic, **options}
        if "payloadBase64" not in options:
            body["payload"] = payload
        connection = http.client.HTTPConnection(self.addresses["admin"], timeout=SOON_S)
        try:
            connection.request("POST", "/v1/publish", json.dumps(body), {"content-type": "application/json"})
            response = connection.getresponse()
            text = response.read()
            assert response.status == 202, text
            return json.loads(text)
        finally:
            connection.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(15)
        finally:
            self.process.kill()
            self.reader.join(SOON_S)
            self.process.stderr.close()
            self.folder.cleanup()
        assert code == 0, f"exit code {code}:\n" + "".join(self.log)


class Client:
    """One python-socketio client in one namespace, in a thread of its own; every event goes into one queue."""

    def __init__(self, server, namespace, transports, auth=None):
        self.namespace = namespace
        self.events = queue.Queue()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        try:
            self.run(self.connect(server, transports, auth))
        except BaseException:
            self.end()
            raise

    async def connect(self, server, transports, auth):
        self.http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=server.trusted))
        self.socket = socketio.AsyncClient(reconnection=False, http_session=self.http)
        self.socket.on("*", lambda event, *args: self.events.put((event, *args)), namespace=self.namespace)
        await self.socket.connect(
            server.url, auth=auth, namespaces=[self.namespace], transports=transports, wait_timeout=SOON_S
        )

    def run(self, what):
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(2 * SOON_S)

    def emit(self, event, body):
        self.run(self.socket.emit(event, body, namespace=self.namespace))

    def call(self, event, body):
        return self.run(self.socket.call(event, body, namespace=self.namespace, timeout=SOON_S))

    def next(self, wanted=None):
        event = self.events.get(timeout=SOON_S)
        assert wanted in (None, event[0]), f"expected {wanted}, got {event}"
        return event[1:]

    def leave(self):
        try:
            self.run(self.goodbye())
        finally:
            self.end()

    async def goodbye(self):
        # The library loses a goodbye that is said while a request of it is on its way, and then waits for a ping.
        await asyncio.wait_for(self.socket.eio.queue.join(), SOON_S)
        await self.socket.disconnect()

    def end(self):
        self.run(self.http.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(SOON_S)
        self.loop.close()

    def subscribe(self, topic):
        self.emit("subscribe", {"topic": topic})
        return self.next("subscribed")[0]


class Contract:
    """The tests, run once for each way to connect."""

    transports = None
    with_tls = False

    def setUp(self):
        # Its own, so that a client that lingers is counted by no other test.
        self.server = Server(self.with_tls)
        self.addCleanup(self.server.stop)

    def connect(self, namespace, auth=None):
        client = Client(self.server, namespace, self.transports, auth)
        self.addCleanup(client.leave)
        return client

    def test_messages_arrive_in_order(self):
        client = self.connect("/feed")
        answer = client.subscribe("delta")
        self.assertEqual(answer["topic"], "delta")
        for n in range(200):
            self.assertEqual(self.server.publish("/feed", "delta", {"n": n, "text": "äöü €🦀"})["matched"], 1)
        for n in range(200):
            self.assertEqual(client.next("delta"), ({"n": n, "text": "äöü €🦀"},))
        self.assertTrue(client.events.empty())

    def test_bytes_arrive_as_bytes(self):
        client = self.connect("/feed")
        client.subscribe("delta")
        data = bytes(range(256)) * 4
        self.server.publish("/feed", "delta", payloadBase64=base64.b64encode(data).decode())
        self.server.publish("/feed", "delta", "after")
        self.assertEqual(client.next("delta"), (data,))
        self.assertEqual(client.next("delta"), ("after",))

    def test_bytes_are_relayed(self):
        client = self.connect("/relay")
        client.subscribe("chat")
        client.emit("publish", {"topic": "chat", "payload": {"file": b"\x00\x01\xff", "name": "a"}})
        self.assertEqual(client.next("chat")[0], {"file": b"\x00\x01\xff", "name": "a"})

    def test_a_callback_gets_the_answer(self):
        client = self.connect("/feed")
        yes = client.call("subscribe", {"topic": "delta"})
        self.assertTrue(yes["ok"])
        no = client.call("subscribe", {"topic": "nonsense"})
        self.assertFalse(no["ok"])
        self.assertEqual(no["code"], "UNKNOWN_TOPIC")

    def test_acked_messages_come_once_and_in_order(self):
        client = self.connect("/alerts")
        client.subscribe("alert")
        for n in range(50):
            self.server.publish("/alerts", "alert", n)
        for n in range(50):
            payload, meta = client.next("alert")
            self.assertEqual(payload, n)
            self.assertTrue(meta["ackRequired"])
            client.emit("ack", {"topic": "alert", "messageId": meta["messageId"]})
        # Longer than an ack timeout: nothing is sent again.
        with self.assertRaises(queue.Empty):
            client.events.get(timeout=1)

    def test_silence_is_retried_under_one_id_and_then_given_up(self):
        client = self.connect("/alerts")
        client.subscribe("alert")
        self.server.publish("/alerts", "alert", "a")
        attempts = [client.next("alert") for _ in range(3)]
        self.assertEqual({payload for payload, _ in attempts}, {"a"})
        self.assertEqual(len({meta["messageId"] for _, meta in attempts}), 1)
        with self.assertRaises(queue.Empty):
            client.events.get(timeout=1.2)

    def test_a_token_opens_the_door_and_a_wrong_one_does_not(self):
        with self.assertRaises(socketio.exceptions.ConnectionError):
            Client(self.server, "/members", self.transports, {"token": "wrong"})
        member = self.connect("/members", {"token": "a token of hers"})
        self.assertTrue(member.call("subscribe", {"topic": "chat"})["ok"])
        nobody = self.connect("/members")
        self.assertEqual(nobody.call("subscribe", {"topic": "chat"})["code"], "AUTH_REJECTED")
        answer = nobody.call("authenticate", {"token": "a token of hers"})
        self.assertEqual(answer, {"ok": True, "principal": "ann"})
        self.assertTrue(nobody.call("subscribe", {"topic": "chat"})["ok"])
        self.assertEqual(self.server.publish("/members", "chat", "hello")["matched"], 2)

    def test_unsubscribed_is_unsubscribed(self):
        client = self.connect("/feed")
        client.subscribe("delta")
        client.emit("unsubscribe", {"topic": "delta"})
        self.assertEqual(client.next("unsubscribed")[0], {"topic": "delta", "reason": "client"})
        self.assertEqual(self.server.publish("/feed", "delta", "nobody")["matched"], 0)
        self.assertTrue(client.events.empty())


class OverWebsocket(Contract, unittest.TestCase):
    transports = ["websocket"]


class OverPolling(Contract, unittest.TestCase):
    transports = ["polling"]


class ThroughTheUpgrade(Contract, unittest.TestCase):
    transports = ["polling", "websocket"]


class OverWebsocketWithTls(OverWebsocket):
    with_tls = True


class OverPollingWithTls(OverPolling):
    with_tls = True


class ThroughTheUpgradeWithTls(ThroughTheUpgrade):
    with_tls = True


if __name__ == "__main__":
    unittest.main()
