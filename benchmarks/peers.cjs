// The JavaScript translators. usage: node peers.cjs INPUTS.json SECONDS, with NODE_PATH set to the folder of modules.
//
// INPUTS.json: {"sdps": [...], "xmls": [...]}. Prints one JSON line per translator: name and operations per CPU second in both
// directions, and how many of the inputs it takes, or "missing" with the reason. The author of every description is the initiator.
"use strict";
const fs = require("fs");

const ICE = "urn:xmpp:jingle:transports:ice-udp:1";

function stanza() {
  const { JXT } = require("stanza");
  const protocol = require("stanza/protocol");
  const { importFromSDP, exportToSDP } = require("stanza/jingle/sdp/Intermediate");
  const { convertIntermediateToRequest, convertRequestToIntermediate } = require("stanza/jingle/sdp/Protocol");
  const registry = new JXT.Registry();
  registry.define(protocol.default || protocol);
  return {
    toXml(sdp) {
      const jingle = convertIntermediateToRequest(importFromSDP(sdp), "initiator", ICE);
      return registry.export("iq", { type: "set", id: "1", jingle: { ...jingle, sid: "0", action: "session-initiate" } }).toString();
    },
    toSdp(xml) {
      const { jingle } = registry.import(JXT.parse(`<iq xmlns="jabber:client" type="set" id="1">${xml}</iq>`));
      return exportToSDP(convertRequestToIntermediate(jingle, "initiator"));
    },
  };
}

function sdpJingleJson() {
  const json = require("sdp-jingle-json");
  const xml = require("jingle-stanza");
  return {
    toXml(sdp) {
      const jingle = json.toSessionJSON(sdp, { role: "initiator", direction: "outgoing" });
      return xml.getXml({ type: "set", id: "1", jingle: { ...jingle, sid: "0", action: "session-initiate" } }).toString();
    },
    toSdp(text) {
      const { jingle } = xml.getData(`<iq xmlns="jabber:client" type="set" id="1">${text}</iq>`).toJSON();
      return json.toSessionSDP(jingle, { role: "initiator", direction: "incoming", sid: 1, time: 1 });
    },
  };
}

function cpu() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

// Operations per CPU second over all inputs in turn; the first half second lets the compiler settle.
function rate(run, inputs, seconds) {
  let next = 0;
  const turn = (limit) => {
    const start = cpu();
    let done = 0;
    for (;;) {
      for (let i = 0; i < 10; i++, done++) run(inputs[next++ % inputs.length]);
      const spent = cpu() - start;
      if (spent >= limit) return done / spent;
    }
  };
  turn(0.5);
  return turn(seconds);
}

function takes(run, text, sign) {
  try {
    return run(text).includes(sign);
  } catch {
    return false;
  }
}

const { sdps, xmls } = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const seconds = Number(process.argv[3]);
for (const [name, load] of Object.entries({ "stanza.js 12.22.1": stanza, "sdp-jingle-json 3.1.0 + jingle-stanza 2.1.0": sdpJingleJson })) {
  const found = { name };
  try {
    const { toXml, toSdp } = load();
    for (const [direction, run, inputs, sign] of [["toXml", toXml, sdps, "payload-type"], ["toSdp", toSdp, xmls, "a=rtpmap"]]) {
      const taken = inputs.filter((text) => takes(run, text, sign));
      found[direction] = rate(run, taken, seconds);
      if (taken.length < inputs.length) found[`${direction}Taken`] = taken.length;
    }
  } catch (problem) {
    found.missing = String(problem.message).split("\n")[0];
  }
  console.log(JSON.stringify(found));
}
