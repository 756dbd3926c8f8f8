//! What `#[agent(extend = hostel_chat::Chat)]` adds to a class: the chat frames, `get-messages`, and the tasks that run turns.

use std::time::Duration;

use hostel::{
    Code, Connection, Cx, Error, Handler, Message, Reply, Result, Task,
    extension::{Extends, Extension, Frame, Greeting, RequestHook},
    protocol::{
        chat::{ChatIn, ChatRequest, ResponseFrame, ToolAnswer},
        client::ChatKind,
        refusal::Refusal,
    },
};

use crate::{
    agent::ChatAgent,
    agents,
    approval::{self, Answering},
    http, live, resume, run, settle,
    submit::{self, From},
    welcome,
};

/// Extends an agent class by chat: `#[agent(extend = hostel_chat::Chat)]`. The class implements [`ChatAgent`].
#[derive(Debug, Clone, Copy)]
pub enum Chat {}

/// Turns take as long as they take: models have time limits of their own.
const NO_LIMIT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl<A: ChatAgent> Extends<A> for Chat {
    const EXTENSION: Extension<A> = Extension {
        on_frame: Some(frame),
        frame_failed: failed,
        on_greet: Some(|_, cx, connection| greet(cx, &connection)),
        on_request: Some(RequestHook { wants: http::wants, handler: Handler::Task(http::answer::<A>) }),
        tasks: const {
            &[
                task(
                    live::RUN,
                    "Answers in the chat.",
                    Handler::Task(|cx, args| {
                        Box::pin(async move { run::run::<A>(cx, args.reader(live::RUN)?.next("turn")?).await })
                    }),
                ),
                task(
                    settle::CONTINUE,
                    "Has the chat go on once every tool call is answered.",
                    Handler::Read(|_, cx, args| {
                        settle::moment_passed(&**cx.host(), args.reader(settle::CONTINUE)?.next("turn")?)?;
                        Ok(Reply::undefined())
                    }),
                ),
                task(
                    approval::EXPIRE,
                    "Closes an approval that nobody has answered in time.",
                    Handler::Read(|_, cx, args| {
                        let id: String = args.reader(approval::EXPIRE)?.next("approval")?;
                        approval::expire(&**cx.host(), &id)?;
                        Ok(Reply::undefined())
                    }),
                ),
                task(
                    agents::STOP,
                    "Stops an agent below that works for an answer which is over.",
                    Handler::Task(|cx, args| {
                        Box::pin(async move {
                            let mut args = args.reader(agents::STOP)?;
                            agents::stop(cx, args.next("class")?, args.next("run")?).await?;
                            Ok(Reply::undefined())
                        })
                    }),
                ),
                task(
                    agents::DECIDE,
                    "Hands an answer to an agent below that asked.",
                    Handler::Task(|cx, args| {
                        Box::pin(async move {
                            let mut args = args.reader(agents::DECIDE)?;
                            let (id, answer): (String, Answering) = (args.next("approval")?, args.next("answer")?);
                            agents::decide(&cx, &id, &answer).await?;
                            Ok(Reply::undefined())
                        })
                    }),
                ),
                task(
                    submit::QUIET,
                    "Answers in the chat once nothing more has come.",
                    Handler::Read(|_, cx, args| {
                        submit::quiet(&**cx.host(), args.reader(submit::QUIET)?.next("turn")?)?;
                        Ok(Reply::undefined())
                    }),
                ),
            ]
        },
    };
}

const fn task<A>(name: &'static str, doc: &'static str, handler: Handler<A, hostel::Args, Reply>) -> Task<A> {
    Task { name, doc, handler, declared: &[], timeout: NO_LIMIT }
}

fn greet<A: ChatAgent>(cx: &Cx<A>, connection: &Connection) -> Result<Greeting> {
    let host = &**cx.host();
    let first = welcome::greet(host, connection.record())?;
    Ok(Greeting { first: first.into_iter().map(Message::from).collect(), last: agents::replay(host)? })
}

fn frame<A: ChatAgent>(me: &A, cx: &Cx<A>, (connection, frame): (Connection, Frame)) -> Result<()> {
    let host = &**cx.host();
    let record = connection.record();
    let parsed = match ChatIn::parse(frame.kind, &frame.text) {
        Ok(parsed) => parsed,
        Err(fault) => {
            connection.send(fault.to_frame());
            return Ok(());
        }
    };
    if connection.is_readonly() && !matches!(parsed, ChatIn::ResumeRequest(_) | ChatIn::ResumeAck(_)) {
        connection.send(only_looks(&parsed));
        return Ok(());
    }
    match parsed {
        ChatIn::Request(request) => {
            let from = From { connection: Some(record), who: connection.identity(), ..From::default() };
            submit::take(host, request, from, || me.chat(cx).policy()).map(drop)
        }
        ChatIn::Messages(list) => submit::messages(host, list.messages, record, list.is_v4),
        ChatIn::Clear => submit::clear(host, Some(connection.key())),
        ChatIn::Cancel(cancel) if submit::cancel(host, &cancel.id)? => run::tell_over(cx, &cancel.id),
        ChatIn::Cancel(_) => Ok(()),
        ChatIn::ResumeAck(ack) => resume::acknowledged(host, record, &ack.id),
        ChatIn::ResumeRequest(request) => resume::probe(host, record, request.probe_id.as_deref()),
        ChatIn::ToolResult(result) => {
            let is_own = |tool: &str, clients: &[_]| me.chat(cx).runs(tool, clients);
            if settle::is_for_server(host, &result.tool_call_id, &result.answer, is_own)? {
                tracing::warn!(agent = %cx.id(), call = %result.tool_call_id, "a page has a result for a tool of the server's own; it is ignored");
                return Ok(());
            }
            let answer = settle::Answer {
                call: &result.tool_call_id,
                answer: &result.answer,
                go_on: result.auto_continue,
                client_tools: result.client_tools,
                from: Some(connection.key()),
                who: connection.identity(),
            };
            settle::answer(host, &answer).map(drop)
        }
        ChatIn::ToolApproval(approval) => {
            let answer = match approval.approved {
                true => ToolAnswer::Approved,
                false => ToolAnswer::Denied(approval.reason.clone()),
            };
            let answer = settle::Answer {
                call: &approval.tool_call_id,
                answer: &answer,
                go_on: approval.auto_continue,
                client_tools: None,
                from: Some(connection.key()),
                who: connection.identity(),
            };
            if settle::answer(host, &answer)?.is_none() {
                let by = connection.identity().map(|who| hostel::Identity::subject(who).to_owned());
                let answer = Answering { approve: approval.approved, by, reason: approval.reason, always: false };
                agents::hand_down(host, &approval.tool_call_id, &answer)?;
            }
            Ok(())
        }
    }
}

/// What a connection that may only look is told when it says something: a request of its own is over, and of anything else
/// it gets the reason alone, since the turn it speaks of goes on.
fn only_looks(parsed: &ChatIn) -> String {
    const REASON: &str = "Connection is readonly";
    match parsed {
        ChatIn::Request(request) => ResponseFrame::failed(&request.id, REASON).to_json(),
        _ => Refusal::new(Code::ConnectionReadonly, REASON)
            .with_fix("say it over a connection that may write")
            .to_error_frame(),
    }
}

/// A request that could not be taken is over, with the reason, where the client's hook shows it.
fn failed(frame: &Frame, error: &Error) -> Option<Message> {
    if frame.kind != ChatKind::Request {
        return None;
    }
    let request = ChatRequest::parse(&frame.text).ok()?;
    Some(ResponseFrame::failed(&request.id, error.message()).to_json().into())
}
