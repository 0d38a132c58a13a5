// Three namespaces over one connection. `node client.mjs [URL]`
import { io } from "socket.io-client";

const [url = "http://127.0.0.1:3000"] = process.argv.slice(2);

function subscribed(namespace, topic) {
  const socket = io(url + namespace);
  // With a callback, the answer comes to who asked: {ok: true, topic, ..} or {ok: false, code, message}.
  socket.on("connect", () =>
    socket.emit("subscribe", { topic }, (answer) => {
      console.log(`${namespace} ${topic}: ${answer.ok ? "subscribed" : answer.code}`);
    }),
  );
  return socket;
}

subscribed("/state", "dashboard").on("dashboard", (state, { messageId }) => {
  console.log(`state ${JSON.stringify(state)} is message ${messageId.split(":")[1]}`);
});

subscribed("/feed", "price").on("price", (price) => console.log(`price ${price.symbol} ${price.bid}`));

const alerts = subscribed("/alerts", "alert");
const seen = new Set();
alerts.on("alert", (alert, { topic, messageId }) => {
  // An ack may be lost on its way, and then the message comes again: with the same id.
  if (!seen.has(messageId)) console.log(`alert ${alert.text}`);
  seen.add(messageId);
  alerts.emit("ack", { topic, messageId });
});
