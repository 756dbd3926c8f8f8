// Compares what was recorded with what came back. Each connection is compared as a sequence, by its
// longest common subsequence: the order across connections is not a promise of the protocol.

/** @returns {object[]} differences: {where, note, kind, expected?, actual?} */
export function compare(script, recorded, replayed, shared) {
  const differences = [];
  for (const step of script.steps) {
    if (step.do === "http") differences.push(...compareHttp(step, recorded, replayed, shared));
  }
  for (const connection of script.connections) {
    differences.push(...compareConnection(connection, recorded, replayed, shared));
  }
  return differences;
}

function compareHttp(step, recorded, replayed, shared) {
  const where = `${step.request.method} ${recorded.text(step.request.path ?? step.request.url)}`;
  const unordered = /\/conns$/.test(step.request.path ?? "");
  const expected = shared.text(recorded.answer(unordered ? sorted(step.expected) : step.expected));
  const actual = shared.text(replayed.answer(unordered ? sorted(step.actual) : step.actual));
  return expected === actual ? [] : [{ where, note: step.note, kind: "changed", expected, actual }];
}

// The order in which a server lists its connections means nothing.
function sorted(answer) {
  try {
    const rank = (item) => (item.id.length === 21 ? "~" : item.id);
    const items = JSON.parse(answer.body).sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
    return { ...answer, body: JSON.stringify(items) };
  } catch {
    return answer;
  }
}

function compareConnection(connection, recorded, replayed, shared) {
  const completed = connection.actual.filter((event) => !isCompletedClose(event, connection));
  const expected = withTexts(connection.expected, recorded, shared);
  const actual = withTexts(completed, replayed, shared);
  const where = `conn ${connection.label}`;
  return pairUp(alignment(expected, actual)).map((difference) => ({ where, ...difference }));
}

/** Events with their canonical texts, without those that the generation rules leave out. */
export function withTexts(events, side, shared) {
  return shared.events(events.map((event) => ({ ...event, text: shared.text(side.event(event)) })));
}

// A client's close without a code is not answered by the recorded server; answering it is the
// ordinary closing handshake and clients cannot tell the difference (protocol reference, 2.6).
function isCompletedClose(event, connection) {
  return event.kind === "close" && event.code === 1005 && connection.closedByClient && !connection.closedByClient.code;
}

/** Longest common subsequence; yields equal, missing and extra entries in order. */
export function alignment(expected, actual) {
  const table = Array.from({ length: expected.length + 1 }, () => new Array(actual.length + 1).fill(0));
  for (let i = expected.length - 1; i >= 0; i--) {
    for (let j = actual.length - 1; j >= 0; j--) {
      const same = expected[i].text === actual[j].text;
      table[i][j] = same ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1]);
    }
  }
  const out = [];
  let [i, j] = [0, 0];
  while (i < expected.length || j < actual.length) {
    if (i < expected.length && j < actual.length && expected[i].text === actual[j].text) {
      out.push({ kind: "same", item: expected[i++] });
      j++;
    } else if (j >= actual.length || (i < expected.length && table[i + 1][j] >= table[i][j + 1])) {
      out.push({ kind: "missing", item: expected[i++] });
    } else {
      out.push({ kind: "extra", item: actual[j++] });
    }
  }
  return out;
}

// Within one gap between equal entries, the n-th missing and the n-th extra are one changed answer.
function pairUp(entries) {
  const differences = [];
  let gap = { missing: [], extra: [], note: "" };
  const flush = () => {
    const { missing, extra, note } = gap;
    for (let n = 0; n < Math.max(missing.length, extra.length); n++) {
      const [expected, actual] = [missing[n]?.text, extra[n]?.text];
      const kind = expected === undefined ? "extra" : actual === undefined ? "missing" : "changed";
      differences.push({ note: missing[n]?.note ?? note, kind, expected, actual });
    }
    gap = { missing: [], extra: [], note };
  };
  for (const { kind, item } of entries) {
    if (kind === "same") flush();
    else gap[kind].push(item);
    if (item.note) gap.note = item.note;
  }
  flush();
  return differences;
}
