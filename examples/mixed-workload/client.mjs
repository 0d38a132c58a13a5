// A feed from one server, alerts and commands from another. `node client.mjs [FEED_URL CONTROL_URL]`
// What is typed goes to all other clients as a command.
import readline from "node:readline";
import { io } from "socket.io-client";

const [feedUrl = "http://127.0.0.1:3000", controlUrl = "http://127.0.0.1:3001"] = process.argv.slice(2);

const feed = io(`${feedUrl}/feed`, { transports: ["websocket"] });
feed.on("connect", () => feed.emit("subscribe", { topics: ["snapshot", "delta"] }));
feed.on("snapshot", (snapshot) => console.log(`snapshot ${JSON.stringify(snapshot)}`));
feed.on("delta", (delta) => console.log(`delta ${JSON.stringify(delta)}`));

const alerts = io(`${controlUrl}/alerts`);
alerts.on("connect", () => alerts.emit("subscribe", { topic: "alert" }));
alerts.on("alert", (alert, { topic, messageId }) => {
  console.log(`alert ${alert.text}`);
  alerts.emit("ack", { topic, messageId });
});

const commands = io(`${controlUrl}/commands`);
commands.on("connect", () => commands.emit("subscribe", { topic: "command" }));
commands.on("command", (command) => console.log(`command ${command}`));

for (const socket of [feed, alerts, commands]) {
  socket.on("subscribed", ({ topic }) => console.log(`subscribed to ${topic}`));
  socket.on("error", ({ code, message }) => console.error(`${code}: ${message}`));
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  commands.emit("publish", { topic: "command", payload: line }, (answer) => {
    console.log(answer.ok ? `sent ${line}` : `not sent: ${answer.code}`);
  });
});
