// Prints every price. `node client.mjs [URL]`
import { io } from "socket.io-client";

const [url = "http://127.0.0.1:3000"] = process.argv.slice(2);
const feed = io(`${url}/feed`);

// Said again after every reconnect: a subscription ends with its connection.
feed.on("connect", () => feed.emit("subscribe", { topic: "price" }));
feed.on("subscribed", ({ topic, offset }) => console.log(`subscribed to ${topic}, after message ${offset}`));
feed.on("price", (price) => console.log(`${price.symbol} ${price.bid}`));
feed.on("error", ({ code, message }) => console.error(`${code}: ${message}`));
