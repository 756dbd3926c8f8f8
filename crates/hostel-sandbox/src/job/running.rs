//! A job on Linux: the control socket, the streams, and the helper's process.

use std::fmt;
use std::future::poll_fn;
use std::io::{IoSlice, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::pin::pin;
use std::process;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::unix::pipe;

use super::{Ended, Exit, Output, Source};
use crate::order::{Order, TERM, Why, Word};
use crate::stdio::{Stdio, Writer};
use crate::{Command, Error, Policy, Result, Terminal, WORD};

/// A command that runs. Dropped, it is ended at once, with everything it started.
///
/// Somebody has to take its output ([`next`](Self::next), [`wait`](Self::wait)): a command whose output is not taken waits, like
/// any program that writes into a full pipe, until its time is over. The limits of time, memory and processes are kept by its sandbox.
pub struct Job {
    control: Control,
    input: Writer,
    outputs: Vec<(Source, pipe::Receiver)>,
    said: u64,
    limit: u64,
    too_much: bool,
    over: Option<Word>,
    begun: Instant,
    /// Nothing once it was waited for.
    helper: Option<tokio::process::Child>,
    at_end: Option<AtEnd>,
}

/// What is told how it ended.
type AtEnd = Box<dyn FnOnce(Option<Ended>) + Send>;

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("said", &self.said)
            .field("over", &self.over)
            .field("helper", &self.helper)
            .finish_non_exhaustive()
    }
}

/// Ends a job from elsewhere.
#[derive(Debug, Clone)]
pub struct Canceller(Arc<UnixStream>);

impl Canceller {
    /// Asks the command to end: a signal for all its processes, and after the policy's grace the end of them all.
    pub fn cancel(&self) {
        let _ = (&*self.0).write(&[TERM]);
    }
}

/// The stage of a helper that makes no sandbox.
const BARE: &str = "bare";
/// How long the helper has to build the sandbox.
const PATIENCE: Duration = Duration::from_secs(30);

impl Job {
    pub(crate) async fn start(helper: &Path, stage: &str, policy: &Policy, command: &Command) -> Result<Self> {
        let order = Order::new(policy, command)?;
        let text = order.text()?;
        let stdio = match command.terminal {
            Some(size) => Stdio::terminal(size),
            None => Stdio::pipes(),
        };
        let Stdio { input, outputs, theirs } = stdio.map_err(Error::io("pipes"))?;
        let (ours, helpers) = UnixStream::pair().map_err(Error::io("a socket"))?;
        let network = if order.policy.network.is_own() { "own" } else { "shared" };
        let mut started = tokio::process::Command::new(helper);
        started.args([WORD, stage, network]).env_clear().current_dir("/").process_group(0);
        // Without a sandbox the helper alone ends the command: killed before it has, it would leave it running for good.
        started.kill_on_drop(stage != BARE);
        started.stdin(OwnedFd::from(helpers)).stdout(process::Stdio::null()).stderr(process::Stdio::null());
        let helper = started.spawn().map_err(Error::io("the sandbox's helper"))?;
        // The command holds a copy of the helper's end: as long as it does, the socket is not closed.
        drop(started);
        // A helper that cannot do its work says why and ends, perhaps before it has heard everything.
        let sent = send(&ours, &text, &theirs);
        drop(theirs);
        let mut control = Control::new(ours).map_err(Error::io("a socket"))?;
        let first = tokio::time::timeout(PATIENCE, control.word()).await;
        let first = first.map_err(|_| Error::Setup("it took too long".into()))?;
        match first.ok_or_else(|| sent.map_or_else(Error::io("the sandbox's helper"), |()| Error::Lost))? {
            Word::Unavailable(why) => return Err(Error::Unavailable { why }),
            Word::Failed(why) => return Err(Error::Setup(why)),
            Word::Started | Word::Over { .. } => {}
        }
        let limit = order.policy.limits.output_bytes;
        let (helper, begun) = (Some(helper), Instant::now());
        Ok(Self { control, input, outputs, said: 0, limit, too_much: false, over: None, begun, helper, at_end: None })
    }

    /// Has this called, once, when nothing that the command started is left: before [`Job::wait`] answers, or some time after the job was
    /// dropped. It may block. It is told why the command ended; nothing if its sandbox was ended from outside, when something may be left after all.
    /// If the runtime ends first, it is dropped.
    #[must_use]
    pub fn at_end(mut self, call: impl FnOnce(Option<Ended>) + Send + 'static) -> Self {
        self.at_end = Some(Box::new(call));
        self
    }

    /// The next piece of output; nothing when the command is over and all was told.
    ///
    /// Cancel safe: a piece that was not answered is answered next time.
    pub async fn next(&mut self) -> Option<Output> {
        loop {
            if self.outputs.is_empty() && self.over.is_some() {
                return None;
            }
            let event = event(&mut self.outputs, &mut self.control, self.over.is_none()).await;
            match event {
                Event::Said(at, bytes) => {
                    if let Some(output) = self.said(at, bytes) {
                        return Some(output);
                    }
                }
                Event::Ended(at) => drop(self.outputs.remove(at)),
                Event::Word(None) => {
                    self.over = Some(Word::Failed(String::new()));
                }
                Event::Word(Some(word @ Word::Over { .. })) => self.over = Some(word),
                Event::Word(Some(_)) => {}
            }
        }
    }

    /// Counts, and ends a command that says too much. What is too much is not told.
    fn said(&mut self, at: usize, mut bytes: Vec<u8>) -> Option<Output> {
        let room = usize::try_from(self.limit - self.said).unwrap_or(usize::MAX);
        if bytes.len() > room {
            bytes.truncate(room);
            if !self.too_much {
                self.too_much = true;
                self.canceller().cancel();
            }
        }
        self.said += bytes.len() as u64;
        (!bytes.is_empty()).then(|| Output { source: self.outputs[at].0, bytes })
    }

    /// Waits for the end, of the command and of everything it started. Output that was not taken before is thrown away.
    ///
    /// # Errors
    /// [`Error::Lost`] if the sandbox was ended from outside.
    pub async fn wait(mut self) -> Result<Exit> {
        while self.next().await.is_some() {}
        // It ends after the last process of the sandbox: what was not said to it may still be dying.
        if let Some(helper) = &mut self.helper {
            let _ = helper.wait().await;
        }
        self.helper = None;
        if let Some(call) = self.at_end.take() {
            let ended = self.ended();
            let _ = tokio::task::spawn_blocking(move || call(ended)).await;
        }
        let (Some(ended), Some(Word::Over { code, signal, .. })) = (self.ended(), &self.over) else {
            return Err(Error::Lost);
        };
        let (code, signal) = (*code, *signal);
        Ok(Exit { code, signal, ended, took: self.begun.elapsed() })
    }

    /// Why it ended, if it has.
    fn ended(&self) -> Option<Ended> {
        let Some(Word::Over { why, .. }) = &self.over else { return None };
        Some(match why {
            _ if self.too_much => Ended::OutputLimit,
            Why::Itself => Ended::Itself,
            Why::Time => Ended::TimeLimit,
            Why::Memory => Ended::MemoryLimit,
            Why::Processes => Ended::ProcessLimit,
            Why::Asked => Ended::Cancelled,
        })
    }

    /// Writes to its input, as far as it takes it: a command that reads nothing keeps this waiting once a pipe is full.
    ///
    /// # Errors
    /// [`Error::Io`] if it has closed its input.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.input.write(bytes).await.map_err(Error::io("the command's input"))
    }

    /// Its input, to be written while somebody else takes its output: dropped, the input ends. Nothing if it is closed or a terminal.
    pub fn take_input(&mut self) -> Option<Box<dyn AsyncWrite + Send + Unpin>> {
        Some(Box::new(self.input.take()?))
    }

    /// Ends its input.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub async fn close_input(&mut self) -> Result<()> {
        self.input.close().await.map_err(Error::io("the command's input"))
    }

    /// Changes the size of its terminal.
    ///
    /// # Errors
    /// [`Error::Io`] if it has none.
    pub fn resize(&self, size: Terminal) -> Result<()> {
        self.input.resize(size).map_err(Error::io("the command's terminal"))
    }

    /// What ends it from elsewhere.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        Canceller(Arc::clone(&self.control.plain))
    }
}

impl Drop for Job {
    /// The second stage sees the socket closed, and ends; with it, every process of the sandbox.
    fn drop(&mut self) {
        let ended = if self.over.is_none() { Some(Ended::Cancelled) } else { self.ended() };
        let _ = self.control.plain.shutdown(Shutdown::Both);
        let (Some(call), Ok(runtime)) = (self.at_end.take(), tokio::runtime::Handle::try_current()) else { return };
        let helper = self.helper.take();
        runtime.spawn(async move {
            if let Some(mut helper) = helper {
                let _ = helper.wait().await;
            }
            let _ = tokio::task::spawn_blocking(move || call(ended)).await;
        });
    }
}

enum Event {
    Said(usize, Vec<u8>),
    Ended(usize),
    Word(Option<Word>),
}

/// Whatever comes first of any stream or the control socket.
async fn event(outputs: &mut [(Source, pipe::Receiver)], control: &mut Control, listen: bool) -> Event {
    let mut reads: Vec<_> =
        outputs.iter_mut().enumerate().map(|(at, (_, reader))| Box::pin(piece(at, reader))).collect();
    let mut word = pin!(control.word());
    poll_fn(|cx| {
        for read in &mut reads {
            if let Poll::Ready(event) = read.as_mut().poll(cx) {
                return Poll::Ready(event);
            }
        }
        if listen && let Poll::Ready(word) = word.as_mut().poll(cx) {
            return Poll::Ready(Event::Word(word));
        }
        Poll::Pending
    })
    .await
}

async fn piece(at: usize, reader: &mut pipe::Receiver) -> Event {
    let mut buffer = vec![0; 16 << 10];
    match reader.read(&mut buffer).await {
        Ok(read @ 1..) => {
            buffer.truncate(read);
            Event::Said(at, buffer)
        }
        Ok(0) | Err(_) => Event::Ended(at),
    }
}

/// The control socket, and what was read of a line.
#[derive(Debug)]
struct Control {
    plain: Arc<UnixStream>,
    socket: tokio::net::UnixStream,
    read: Vec<u8>,
}

impl Control {
    fn new(ours: UnixStream) -> std::io::Result<Self> {
        ours.set_nonblocking(true)?;
        let plain = Arc::new(ours.try_clone()?);
        Ok(Self { plain, socket: tokio::net::UnixStream::from_std(ours)?, read: Vec::new() })
    }

    /// The next word; nothing if the helper is gone. Cancel safe.
    async fn word(&mut self) -> Option<Word> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                return serde_json::from_slice(&line).ok();
            }
            let mut piece = [0; 1024];
            let read = self.socket.read(&mut piece).await.ok().filter(|read| *read > 0)?;
            self.read.extend_from_slice(&piece[..read]);
        }
    }
}

/// The descriptors with one byte, then the order with its length before it.
fn send(to: &UnixStream, text: &str, fds: &[OwnedFd; 3]) -> std::io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let borrowed = fds.each_ref().map(AsFd::as_fd);
    ancillary.push(SendAncillaryMessage::ScmRights(&borrowed));
    sendmsg(to, &[IoSlice::new(b"F")], &mut ancillary, SendFlags::empty())?;
    let length = u32::try_from(text.len()).unwrap_or(0);
    let mut to = to;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(text.as_bytes())
}
