// A publisher that is fast: a client whose messages are relayed, in order, with many answers outstanding.
import { connectRaw } from "./raw.mjs";

/** How many messages may wait for their answer; one more than the server keeps for a client is answered BACK_PRESSURE. */
const UNANSWERED = 48;

/** Publishes `count` messages of one client, in their order, and returns what was refused, by its code. */
export async function relay(t, url, namespace, topic, count, payload) {
  const client = await connectRaw(t, url, namespace);
  const head = `43${namespace},`;
  const refused = {};
  let [sent, answered] = [0, 0];
  const more = () => {
    // The payload is put together as text: a publisher that parses is no fast one.
    while (sent < count && sent - answered < UNANSWERED) {
      client.send(`42${namespace},${sent}["publish",{"topic":${JSON.stringify(topic)},"payload":${payload(sent)}}]`);
      sent += 1;
    }
  };
  await new Promise((resolve, reject) => {
    client.closed.then((code) => reject(new Error(`the publisher was cut after ${answered} answers: ${code}`)));
    client.onPacket = (packet) => {
      if (!packet.startsWith(head)) return;
      answered += 1;
      if (!packet.includes('"ok":true')) {
        const { code } = JSON.parse(packet.slice(packet.indexOf("[")))[0];
        refused[code] = (refused[code] ?? 0) + 1;
      }
      if (answered === count) resolve();
      else more();
    };
    more();
  });
  client.socket.close();
  return refused;
}
