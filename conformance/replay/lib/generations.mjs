// What older generations of the recorded server did differently everywhere. A server of the newest
// behaviour is right to differ there, so for those versions both sides are brought to what they share.
// Differences that concern a single answer are in expected.json, each with its reason.

/** Each rule: the last version it concerns, why, and what it does to one side's events or texts. */
const RULES = [
  {
    until: "0.3.6",
    why: "the identity frame exists since 0.3.7",
    events: (events) => events.filter((event) => frameType(event) !== "cf_agent_identity"),
  },
  {
    until: "0.0.79",
    why: "the list of MCP servers is sent since 0.0.80",
    events: (events) => events.filter((event) => frameType(event) !== "cf_agent_mcp_servers"),
  },
  {
    until: "0.24.99",
    why: "identity says stateFollows since 0.25",
    text: (text) => text.replace('"stateFollows":true,', ""),
  },
  {
    until: "0.12.3",
    why: "up to 0.7.9 the first connection got the initial state twice (once until the creation was broadcast)",
    events: withoutRepeatedInitialState,
  },
  {
    until: "0.0.999",
    why: "connections had neither uri nor tags",
    text: (text) => text.replace(/,"tags":\[[^\]]*\],"uri":"[^"]*"/g, ""),
  },
  {
    until: "0.21.99",
    why: "the router's internal headers were visible to the agent",
    text: (text) => text.replace(/,"x-partykit-[a-z]+":"[^"]*"/g, ""),
  },
  {
    until: "0.21.99",
    why: "hooks were told the slug (party) beside or instead of the class name",
    text: (text) => text.replace(/\{\\"(?:party|className)\\":.*?(?=\\"name\\")/g, "{"),
  },
  {
    until: "0.21.99",
    why: "the text for an instance without a name changed from version to version",
    text: (text) =>
      text.replace(/Error: (?:Missing namespace or room|Attempting to read \.name|CounterAgent could not)[^"]*/, "<nameless>"),
  },
  {
    until: "99",
    why: "observers got each list that was submitted twice, as it came and as it was stored; once suffices",
    events: (events) => events.filter((event, at) => frameType(event) !== TRANSCRIPT || event.text !== events[at - 1]?.text),
  },
  {
    until: "99",
    why: "ours sends the transcript to whoever connects, since a client that was cut off never asks for it",
    events: (events) => events.filter((event) => !event.text.startsWith('{"connect":true,"messages"')),
  },
  {
    until: "0.24.99",
    why: "chunks have numbers, and ends say which messages they answer and how, since 0.25",
    text: (text) => (text.endsWith('"cf_agent_use_chat_response"}') ? text.replace(SINCE_NUMBERS, "") : text),
  },
  {
    until: "0.24.99",
    why: "the transcript followed the end of a turn; since 0.25 it comes before",
    events: withTranscriptsBeforeEnds,
  },
  {
    until: "0.2.999",
    why: "parts that are tool calls have the name of the tool since 0.3",
    text: (text) => (text.includes('"parts":[') ? text.replace(/"toolName":"[^"]*",/g, "") : text),
  },
];

const TRANSCRIPT = "cf_agent_chat_messages";
const SINCE_NUMBERS = /,"seq":\d+|,"outcome":"[a-z]+"|,"messageIds":\[[^\]]*\]/g;

function withTranscriptsBeforeEnds(events) {
  const done = [];
  for (const event of events) {
    let at = done.length;
    const isEnd = ({ text }) => text.endsWith('"cf_agent_use_chat_response"}') && /"done":true|"error":true/.test(text);
    if (frameType(event) === TRANSCRIPT) while (at > 0 && isEnd(done[at - 1])) at--;
    done.splice(at, 0, event);
  }
  return done;
}

/** The rules that concern a version, as one transformation of events and one of texts. */
export function generation(version) {
  const rules = RULES.filter(({ until }) => older(version, until));
  return {
    reasons: rules.map(({ why }) => why),
    events: (events) => rules.reduce((done, rule) => (rule.events ? rule.events(done) : done), events),
    text: (text) => rules.reduce((done, rule) => (rule.text ? rule.text(done) : done), text),
  };
}

function older(version, limit) {
  return version.localeCompare(limit, "en", { numeric: true }) <= 0;
}

function frameType(event) {
  return /^\{.*"type":"(cf_agent_\w+)"\}$/.exec(event.text)?.[1];
}

function withoutRepeatedInitialState(events) {
  return events.filter((event, index) => {
    const again = frameType(event) === "cf_agent_state" && events[index - 1]?.text === event.text;
    return !(again && events.slice(0, index - 1).every((earlier) => frameType(earlier) !== "cf_agent_state"));
  });
}
