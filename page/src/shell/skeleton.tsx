// What stands in for a conversation until its messages are there.
export function Skeleton() {
  return (
    <main className="main" aria-busy="true" aria-label="Loading the conversation">
      <div className="bar" />
      <div className="transcript">
        <div className="column skeleton">
          <i style={{ width: "46%" }} />
          <i style={{ width: "88%" }} />
          <i style={{ width: "72%" }} />
        </div>
      </div>
    </main>
  );
}
