// What is shown when a part of the page fails: never a blank screen.
import { Component, type ReactNode } from "react";

export class Fault extends Component<{ children: ReactNode }, { error: Error | null }> {
  state = { error: null as Error | null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    return (
      <main className="fault" role="alert">
        <h1>This page has a fault</h1>
        <p>{error.message}</p>
        <p>The conversation is on the server and goes on there. Loading the page again usually helps.</p>
        <button className="button primary" onClick={() => location.reload()}>
          Load again
        </button>
      </main>
    );
  }
}
