// The page of the browser test: one agent, its state, one call. `agents-react` is replaced at bundling
// by the version under test.
import { useState } from "react";
import { createRoot } from "react-dom/client";
import { useAgent } from "agents-react";

const params = new URLSearchParams(location.search);

function Page() {
  const [state, setState] = useState(null);
  const [source, setSource] = useState("");
  const [result, setResult] = useState("");
  const [status, setStatus] = useState("connecting");
  const [opens, setOpens] = useState(0);
  const [mcp, setMcp] = useState("none");
  const agent = useAgent({
    agent: params.get("agent"),
    name: params.get("name"),
    sub: params.has("sub") ? JSON.parse(params.get("sub")) : undefined,
    host: params.get("host") ?? location.host,
    onStateUpdate: (next, from) => (setState(next), setSource(from)),
    onMcpUpdate: ({ servers, tools }) =>
      setMcp([...Object.values(servers).map((one) => `${one.name} is ${one.state}`), `${tools.length} tools`].join(", ")),
    onOpen: () => (setStatus("open"), setOpens((n) => n + 1)),
    onClose: () => setStatus("closed"),
  });
  const call = (method, ...args) =>
    agent.call(method, args).then((value) => setResult(`${method}: ${JSON.stringify(value)}`), (error) => setResult(`${method} failed: ${error.message}`));
  return (
    <main>
      <p id="status">{status}</p>
      <p id="opens">{opens}</p>
      <p id="identity">{agent.identified ? `${agent.agent}/${agent.name}` : "none"}</p>
      <p id="count">{state ? state.count : "none"}</p>
      <p id="source">{source}</p>
      <p id="mcp">{mcp}</p>
      <p id="result">{result}</p>
      <button id="set" onClick={() => agent.setState({ count: 5 })}>set 5</button>
      <button id="inc" onClick={() => call("inc", 1)}>inc</button>
      <button id="hi" onClick={() => call("hi", "me")}>hi</button>
      <button id="tools" onClick={() => call("useTools", params.get("mcp"))}>use tools</button>
      <button id="no-tools" onClick={() => call("useNone")}>use none</button>
      <button id="missing" onClick={() => call("missing")}>missing</button>
    </main>
  );
}

createRoot(document.getElementById("root")).render(<Page />);
