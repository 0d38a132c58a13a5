export { FenceClient, type ClientEvents, type PublishOptions } from "./client.js";
export type { State } from "./connection.js";
export { FenceError, type ClientCode, type ServerCode } from "./errors.js";
export type { FenceOptions, SubscribeOptions, TokenSource, Verdict } from "./options.js";
export { memoryStore, webStore, type SessionStore, type WebStorage } from "./session.js";
export type { Handler } from "./subscription.js";
export type { Gap, Metadata, Position, Ticket, Unsubscribed } from "./wire.js";
