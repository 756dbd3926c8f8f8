// The page of the test with authentication: one agent, reached as the address of the page says. `agents-react` is replaced at
// bundling by the version under test; the test gives the page `nextToken`.
import { Suspense, useState } from "react";
import { createRoot } from "react-dom/client";
import { useAgent } from "agents-react";

const params = new URLSearchParams(location.search);
const ways = {
  query: { query: async () => ({ token: await window.nextToken() }) },
  protocol: { protocols: ["hostel", `bearer.${params.get("token")}`] },
  cookie: {},
};
const way = ways[params.get("way")];

function Page() {
  const [opens, setOpens] = useState(0);
  const [closed, setClosed] = useState("");
  const [result, setResult] = useState("");
  const agent = useAgent({
    agent: "CoderAgent",
    name: params.get("name"),
    host: location.host,
    minReconnectionDelay: 100,
    maxReconnectionDelay: 300,
    onOpen: () => setOpens((n) => n + 1),
    onClose: ({ code }) => setClosed((first) => first || String(code)),
    ...way,
  });
  const call = () =>
    agent.call("getMessages", []).then((value) => setResult(JSON.stringify(value)), (error) => setResult(error.message));
  return (
    <main>
      <p id="identity">{agent.identified ? `${agent.agent}/${agent.name}` : "none"}</p>
      <p id="opens">{opens}</p>
      <p id="closed">{closed}</p>
      <p id="result">{result}</p>
      <button id="call" onClick={call}>call</button>
    </main>
  );
}

createRoot(document.getElementById("root")).render(
  <Suspense fallback={<p id="identity">waiting</p>}>
    <Page />
  </Suspense>,
);
