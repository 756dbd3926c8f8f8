//! Following a run to its end: what the agent below says is kept, shown, and asked for again when it went away.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt, StreamExt};
use hostel::{
    AgentId, Error, Result,
    host::{Caller, Host},
    protocol::chat::{AgentToolEvent, Chunk},
};
use serde_json::json;

use super::{aside, end, passes, request};
use crate::{
    agents::{
        door::{Handed, Knock, Line, Lines, Told},
        rows::{AgentRun, AgentRunState, Kept, Rows},
        show,
        task::AgentTask,
    },
    ids, live,
    tool::ToolCx,
};

/// How many lines are shown at once.
const BATCH: usize = 256;
/// How long it is waited before an agent that went away is looked for again.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Whoever waits for a run.
pub(super) struct Above<'a, A> {
    pub(super) cx: &'a ToolCx<A>,
    pub(super) child: AgentId,
    pub(super) task: AgentTask,
    pub(super) id: String,
    pub(super) caller: Arc<dyn Caller>,
}

impl<A: Send + Sync + 'static> Above<'_, A> {
    fn host(&self) -> &dyn Host {
        &**self.cx.host()
    }

    /// Follows the run to its end. An agent that went away is looked for again: it goes on by itself.
    pub(super) async fn follow(self) -> Result<AgentRun> {
        let mut wait = FIRST_WAIT;
        loop {
            let from = self.kept()?.next;
            let seen = match self.knock(from).await {
                Ok(mut lines) => self.listen(&mut lines).await?,
                Err(error) if passes(&error) => Seen::Nothing,
                Err(error) => self.show(&[Line::End(AgentRunState::Error, error.message().to_owned())])?,
            };
            match seen {
                Seen::End(run) => return Ok(*run),
                Seen::Something => wait = FIRST_WAIT,
                Seen::Nothing => {}
            }
            self.host().sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn knock(&self, from: u64) -> Result<Lines> {
        let told = Told {
            run: self.id.clone(),
            text: self.task.text.clone(),
            body: self.task.body.clone(),
            who: self.cx.identity().cloned(),
            from,
        };
        let response = self.caller.fetch(self.child.clone(), request(Knock::Do(Arc::new(told)))).await?;
        let lines = response.extensions().get::<Handed>().and_then(|handed| handed.0.lock().take());
        lines.ok_or_else(|| Error::msg(format!("{} is no agent that chats.", self.child.namespace())))
    }

    async fn listen(&self, lines: &mut Lines) -> Result<Seen> {
        let mut seen = Seen::Nothing;
        while let Some(Ok(first)) = lines.next().await {
            let mut batch = vec![first];
            while batch.len() < BATCH
                && let Some(Some(Ok(line))) = lines.next().now_or_never()
            {
                batch.push(line);
            }
            seen = self.show(&batch)?;
            if matches!(seen, Seen::End(_)) {
                return Ok(seen);
            }
        }
        Ok(seen)
    }

    fn kept(&self) -> Result<Kept> {
        let host = self.host();
        let rows = Rows::of(host)?.ok_or_else(live::cancelled)?;
        rows.get(&self.id)?.ok_or_else(live::cancelled)
    }

    /// Keeps what has happened, and tells everybody.
    fn show(&self, lines: &[Line]) -> Result<Seen> {
        let host = self.host();
        aside(host, || {
            let mut kept = self.kept()?;
            if kept.run.state != AgentRunState::Running {
                return Err(live::cancelled());
            }
            let rows = Rows::make(host)?;
            self.chunks(&rows, &mut kept, lines)?;
            match lines.last() {
                Some(Line::End(state, said)) => {
                    end(host, &rows, &mut kept, *state, said)?;
                    Ok(Seen::End(Box::new(kept.run)))
                }
                _ => Ok(Seen::Something),
            }
        })
    }

    fn chunks(&self, rows: &Rows<'_>, kept: &mut Kept, lines: &[Line]) -> Result<()> {
        let host = self.host();
        let mut shown = Vec::new();
        let mut next = kept.next;
        let run_id = kept.run.run_id.clone();
        for line in lines {
            match line {
                Line::Chunk(seq, body) => {
                    let base = *kept.base.get_or_insert(*seq);
                    let sequence = seq.saturating_sub(base) + 1;
                    next = seq + 1;
                    shown.push((sequence, body.as_str()));
                    show::tell(host, kept, sequence, AgentToolEvent::Chunk { run_id: &run_id, body });
                }
                Line::Progress(text) => {
                    let body = progress(host, text);
                    let sequence = shown.last().map_or(kept.sequence, |(last, _)| last + 1);
                    show::tell(host, kept, sequence, AgentToolEvent::Chunk { run_id: &run_id, body: &body });
                }
                Line::End(..) => {}
            }
        }
        if shown.is_empty() { Ok(()) } else { rows.keep(kept, next, &shown) }
    }
}

/// What came of listening.
enum Seen {
    Nothing,
    Something,
    End(Box<AgentRun>),
}

/// What is being said, as pages of the Agents SDK show it: the newest counts, and none is kept.
fn progress(host: &dyn Host, text: &str) -> String {
    let id = ids::make(host, ids::MESSAGE);
    Chunk::data("agent-progress", json!({"message": text})).with("id", id).with("transient", true).to_json()
}
