//! What is heard of a call while it runs: chunks of a stream, log messages, progress, questions to the client.
#![expect(deprecated, reason = "logging and sampling are for clients of the revisions that have them")]

use futures_util::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use hostel_core::{Error, Message, Result};
use hostel_protocol::{
    refusal::Code,
    server::{RpcOutcome, ServerFrame, parse_server},
};
use rmcp::{
    RoleServer, ServiceError,
    model::{
        CreateMessageRequest, ElicitRequest, LoggingLevel, LoggingMessageNotification, LoggingMessageNotificationParam,
        ProgressNotificationParam, ServerNotification, ServerRequest,
    },
    service::{Peer, RequestContext},
};
use serde_json::Value;
use tokio::sync::mpsc;

use super::outcome;
use crate::caller::{LogLevel, Question, Said, cannot};

/// The most that a streaming method may send in one call.
const MOST_CHUNKS: usize = 16 << 20;

/// The most questions of one call at a time.
const MOST_QUESTIONS: usize = 16;

type Context = RequestContext<RoleServer>;
type Asking = FuturesUnordered<BoxFuture<'static, ()>>;

/// What was heard of a call so far.
pub(super) struct Heard<'a> {
    context: &'a Context,
    /// What the client wants to be told of; `None` is nothing.
    level: Option<LogLevel>,
    pub(super) chunks: Vec<Value>,
    bytes: usize,
    reports: u32,
    pub(super) last: Option<Value>,
    pub(super) failed: Option<Error>,
}

impl<'a> Heard<'a> {
    pub(super) fn new(context: &'a Context, level: Option<LogLevel>) -> Self {
        Self { context, level, chunks: Vec::new(), bytes: 0, reports: 0, last: None, failed: None }
    }

    /// Hears everything until the work has ended.
    pub(super) async fn until<T>(
        &mut self,
        work: impl Future<Output = Result<T>>,
        mut hear: mpsc::UnboundedReceiver<Said>,
    ) -> Result<T> {
        let mut asking = Asking::new();
        tokio::pin!(work);
        let answer = loop {
            tokio::select! {
                biased;
                Some(said) = hear.recv() => self.take(said, &mut asking).await?,
                Some(()) = asking.next(), if !asking.is_empty() => {}
                answer = &mut work => break answer?,
            }
        };
        while let Ok(said) = hear.try_recv() {
            self.take(said, &mut asking).await?;
        }
        Ok(answer)
    }

    async fn take(&mut self, said: Said, asking: &mut Asking) -> Result<()> {
        match said {
            Said::Frame(frame) => return self.frame(&frame).await,
            Said::Log(level, data) => self.log(level, data).await,
            Said::Progress(done, all, message) => self.progress(done, all, message).await,
            Said::Ask(_, tell) if asking.len() >= MOST_QUESTIONS => {
                let _asker_may_have_left = tell.send(Err(cannot("Too many questions at once.")));
            }
            Said::Ask(question, tell) => {
                let peer = self.context.peer.clone();
                asking.push(Box::pin(async move {
                    let _asker_may_have_left = tell.send(ask(&peer, question).await);
                }));
            }
        }
        Ok(())
    }

    async fn frame(&mut self, frame: &Message) -> Result<()> {
        let frame = frame.as_text().unwrap_or_default();
        let ServerFrame::Rpc(answer) = parse_server(frame) else { return Ok(()) };
        let value = |json: Box<serde_json::value::RawValue>| serde_json::from_str(json.get()).unwrap_or_default();
        match answer.outcome {
            RpcOutcome::Chunk(chunk) => {
                let chunk: Value = chunk.map(value).unwrap_or_default();
                self.bytes += frame.len();
                if self.bytes > MOST_CHUNKS {
                    return Err(Error::coded(Code::MessageTooBig, "The method sent more than 16 MiB in one call."));
                }
                self.reports += 1;
                self.progress(self.reports.into(), None, Some(outcome::text(&chunk))).await;
                self.chunks.push(chunk);
            }
            RpcOutcome::Done(last) => self.last = last.map(value),
            RpcOutcome::Failed { error, .. } => self.failed = Some(Error::msg(error)),
        }
        Ok(())
    }

    async fn progress(&self, done: f64, all: Option<f64>, message: Option<String>) {
        let Some(token) = self.context.meta.get_progress_token() else { return };
        let mut said = ProgressNotificationParam::new(token, done);
        said.total = all;
        said.message = message;
        // A client that left hears of the end neither.
        let _sent = self.context.peer.notify_progress(said).await;
    }

    async fn log(&self, level: LogLevel, data: Value) {
        if self.level.is_none_or(|least| level < least) {
            return;
        }
        let Ok(level) = as_theirs(level) else { return };
        let said = LoggingMessageNotificationParam::new(level, data);
        let said = ServerNotification::LoggingMessageNotification(LoggingMessageNotification::new(said));
        let _client_may_have_left = self.context.peer.send_notification(said).await;
    }
}

/// Their levels have the same names.
pub(super) fn as_theirs(level: LogLevel) -> serde_json::Result<LoggingLevel> {
    serde_json::from_value(serde_json::to_value(level)?)
}

pub(super) fn as_ours(level: LoggingLevel) -> serde_json::Result<LogLevel> {
    serde_json::from_value(serde_json::to_value(level)?)
}

async fn ask(peer: &Peer<RoleServer>, question: Question) -> Result<Value> {
    let request = request(peer, question)?;
    let answer = peer.send_request(request).await.map_err(|error| refused(&error))?;
    Ok(serde_json::to_value(answer)?)
}

fn request(peer: &Peer<RoleServer>, question: Question) -> Result<ServerRequest> {
    let can = peer.peer_info().map(|client| client.capabilities.clone()).unwrap_or_default();
    match question {
        Question::Person(_) if can.elicitation.is_none() => Err(cannot("The client shows no forms to its person.")),
        Question::Model(_) if can.sampling.is_none() => Err(cannot("The client lends no model.")),
        Question::Person(params) => {
            let params =
                serde_json::from_value(params).map_err(|error| cannot(format!("The form is none: {error}")))?;
            Ok(ServerRequest::ElicitRequest(ElicitRequest::new(params)))
        }
        Question::Model(params) => {
            Ok(ServerRequest::CreateMessageRequest(CreateMessageRequest::new(serde_json::from_value(params)?)))
        }
    }
}

fn refused(error: &ServiceError) -> Error {
    match error {
        ServiceError::McpError(error) => {
            cannot(format!("The client refused: {}", crate::hub::sanitised(&error.message)))
        }
        other => cannot(format!("The client was not reached: {}", crate::hub::sanitised(&other.to_string()))),
    }
}
