// What can become of a message: its name, and what it means. Its colour is in the style sheet, by the same name.

export const OUTCOMES = {
  admitted: "queued for a client",
  coalesced: "took the place of an older value of the same key",
  spilled: "went on on disk",
  displaced: "older messages that gave way",
  expired: "waited longer than they are worth",
  rejected: "refused, because a lane was full",
};

/** What a policy does where a lane is full, as an outcome. */
const OF_POLICY = {
  REJECT_NEW: "rejected",
  DROP_OLDEST: "displaced",
  COALESCE: "coalesced",
  SNAPSHOT_ONLY: "coalesced",
  SPILL_TO_DISK: "spilled",
};

export function ofPolicy(overflow) {
  return OF_POLICY[overflow] ?? "admitted";
}

/** What a policy promises, in a few words. */
export const POLICIES = {
  REJECT_NEW: "a full lane refuses the new message",
  DROP_OLDEST: "a full lane drops its oldest message",
  COALESCE: "a new value takes the place of the old one of its key",
  SNAPSHOT_ONLY: "only the newest message waits",
  SPILL_TO_DISK: "a full lane goes on on disk",
};
