// Certificates made on the spot, with what Node.js has: keys and signatures. The DER around them is written here.
//
// Also a program: `node certificate.mjs DIR` writes ca.pem, chain.pem and key.pem.
import crypto from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * A root of its own and a certificate for localhost that it has signed: `{ca, chain, key}` in PEM.
 *
 * `chain` is the certificate and the root; `key` is under `passphrase`, where one is given. It is valid `until` so many
 * days from now.
 */
export function makeIdentity({ passphrase, until = 30 } = {}) {
  const root = party("streamfence test root");
  const leaf = party("localhost");
  const ca = certificate({ subject: root, issuer: root, extensions: [CA, KEY_CERT_SIGN] });
  const own = certificate({ subject: leaf, issuer: root, until, extensions: [DIGITAL_SIGNATURE, SERVER_AUTH, LOCAL_NAMES] });
  const encryption = passphrase === undefined ? {} : { cipher: "aes-256-cbc", passphrase };
  const key = leaf.keys.privateKey.export({ type: "pkcs8", format: "pem", ...encryption });
  return { ca, chain: own + ca, key };
}

/** Who signs for clients: `ca` in PEM, and `client(name)` makes `{cert, key}` of one. */
export function makeClients() {
  const root = party("streamfence test clients");
  const client = (name) => {
    const leaf = party(name);
    const cert = certificate({ subject: leaf, issuer: root, extensions: [DIGITAL_SIGNATURE, CLIENT_AUTH] });
    return { cert, key: leaf.keys.privateKey.export({ type: "pkcs8", format: "pem" }) };
  };
  return { ca: certificate({ subject: root, issuer: root, extensions: [CA, KEY_CERT_SIGN] }), crl: revocations(root), client };
}

/** A list of revoked certificates (RFC 5280, section 5) with none on it. */
function revocations(issuer) {
  const [from, to] = [-60, 30].map((days) => utcTime(new Date(Date.now() + days * DAY_MS)));
  const number = extension("2.5.29.20", integer(Buffer.of(1)));
  const authority = extension("2.5.29.35", sequence(tlv(0x80, issuer.keyId)));
  const version2 = integer(Buffer.of(1));
  const toBeSigned = sequence(version2, ECDSA_WITH_SHA256, issuer.name, from, to, tlv(0xa0, sequence(authority, number)));
  const signature = crypto.sign("sha256", toBeSigned, issuer.keys.privateKey);
  return pem("X509 CRL", sequence(toBeSigned, ECDSA_WITH_SHA256, bits(signature)));
}

function party(name) {
  const keys = crypto.generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = keys.publicKey.export({ type: "spki", format: "der" });
  return { keys, spki, keyId: crypto.createHash("sha1").update(spki).digest(), name: distinguishedName(name) };
}

function certificate({ subject, issuer, extensions, until = 30 }) {
  const [from, to] = [-60, until].map((days) => new Date(Date.now() + days * DAY_MS));
  const serial = crypto.randomBytes(16);
  // Positive, and without a zero in front.
  serial[0] = (serial[0] & 0x7f) | 0x40;
  const toBeSigned = sequence(
    tlv(0xa0, integer(Buffer.of(2))),
    integer(serial),
    ECDSA_WITH_SHA256,
    issuer.name,
    sequence(utcTime(from), utcTime(to)),
    subject.name,
    subject.spki,
    tlv(
      0xa3,
      sequence(
        ...extensions,
        extension("2.5.29.14", octets(subject.keyId)),
        extension("2.5.29.35", sequence(tlv(0x80, issuer.keyId))),
      ),
    ),
  );
  const signature = crypto.sign("sha256", toBeSigned, issuer.keys.privateKey);
  return pem("CERTIFICATE", sequence(toBeSigned, ECDSA_WITH_SHA256, bits(signature)));
}

function tlv(tag, ...contents) {
  const content = Buffer.concat(contents);
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const sequence = (...contents) => tlv(0x30, ...contents);
const integer = (bytes) => tlv(0x02, bytes);
const octets = (bytes) => tlv(0x04, bytes);
const bits = (bytes, unused = 0) => tlv(0x03, Buffer.of(unused), bytes);
const utcTime = (date) => tlv(0x17, Buffer.from(`${date.toISOString().replace(/[-:T]|\.\d+/g, "").slice(2)}`));

function oid(dotted) {
  const [first, second, ...rest] = dotted.split(".").map(Number);
  const groups = rest.map((number) => {
    const bytes = [number & 0x7f];
    for (let left = number >> 7; left > 0; left >>= 7) bytes.unshift(0x80 | (left & 0x7f));
    return bytes;
  });
  return tlv(0x06, Buffer.from([first * 40 + second, ...groups.flat()]));
}

const extension = (id, value, critical = false) =>
  sequence(oid(id), ...(critical ? [tlv(0x01, Buffer.of(0xff))] : []), octets(value));

const distinguishedName = (commonName) => sequence(tlv(0x31, sequence(oid("2.5.4.3"), tlv(0x0c, Buffer.from(commonName)))));

const ECDSA_WITH_SHA256 = sequence(oid("1.2.840.10045.4.3.2"));
const CA = extension("2.5.29.19", sequence(tlv(0x01, Buffer.of(0xff))), true);
const KEY_CERT_SIGN = extension("2.5.29.15", bits(Buffer.of(0x04), 2), true);
const DIGITAL_SIGNATURE = extension("2.5.29.15", bits(Buffer.of(0x80), 7), true);
const SERVER_AUTH = extension("2.5.29.37", sequence(oid("1.3.6.1.5.5.7.3.1")));
const CLIENT_AUTH = extension("2.5.29.37", sequence(oid("1.3.6.1.5.5.7.3.2")));
const LOCAL_NAMES = extension("2.5.29.17", sequence(tlv(0x82, Buffer.from("localhost")), tlv(0x87, Buffer.of(127, 0, 0, 1))));

function pem(label, der) {
  const lines = der.toString("base64").match(/.{1,64}/g);
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { ca, chain, key } = makeIdentity();
  for (const [name, text] of Object.entries({ "ca.pem": ca, "chain.pem": chain, "key.pem": key })) {
    writeFileSync(path.join(process.argv[2], name), text, { mode: 0o600 });
  }
}
