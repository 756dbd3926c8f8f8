// What each application binds: binding name -> class. The order is the order of enumeration.
export const APPS = {
  counter: { entry: "counter.ts", bindings: { CounterAgent: "CounterAgent" } },
  coder: { entry: "coder.ts", bindings: { CoderAgent: "CoderAgent", coderagent: "CoderAgent" } },
  recorded: {
    entry: "recorded.ts",
    bindings: {
      CounterAgent: "CounterAgent",
      CoderAgent: "CoderAgent",
      SECOND_AGENT: "CoderAgent",
      MyMCPAgent2: "MyMCPAgent2",
      lowername: "PlainAgent",
      ROAgent: "ROAgent",
      RO2: "ROAgent",
      NoIdAgent: "NoIdAgent",
      StartFailAgent: "StartFailAgent",
      ParentAgent: "ParentAgent",
      ChatAgent: "ChatAgent",
      ChatLatest: "ChatLatest",
      ChatDrop: "ChatDrop",
    },
    // Reached only as children of another agent, so they have storage but no binding.
    unbound: ["ChildAgent", "ToolChild"],
  },
};
