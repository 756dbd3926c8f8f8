//! One conversation.

use std::{io, net::IpAddr, time::Duration};

use hostel_core::AgentId;
use hostel_protocol::refusal::{Code, Refusal};
use hostel_runtime::Node;
use smtp_proto::{Request, request::receiver::DataReceiver};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::mail::{Mail, Taken};

/// How long the other side may be silent.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest line of a command (RFC 5321, 4.5.3.1.4, with room for parameters).
const LONGEST_LINE: usize = 2048;
/// Recipients of one mail.
const MOST_RECIPIENTS: usize = 20;
/// Mistakes, refused recipients included, after which we hang up.
const MOST_MISTAKES: usize = 10;
/// Commands of one conversation.
const MOST_COMMANDS: usize = 500;

/// What a conversation goes over: TCP, or TLS over it.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// One conversation, from greeting to good-bye.
pub(super) struct Session {
    stream: Box<dyn Wire>,
    sealed: bool,
    peer: IpAddr,
    mail: Mail,
    node: Node,
    /// What was read and not looked at yet.
    rest: Vec<u8>,
    greeted: bool,
    from: Option<String>,
    to: Vec<(String, AgentId)>,
    mistakes: usize,
}

/// Whether it goes on.
enum Then {
    Reply(String),
    Data,
    Seal,
    Bye,
}

impl Session {
    pub(super) fn new(stream: TcpStream, peer: IpAddr, mail: Mail, node: Node) -> Self {
        let (rest, to) = (Vec::new(), Vec::new());
        let stream = Box::new(stream);
        Self { stream, sealed: false, peer, mail, node, rest, greeted: false, from: None, to, mistakes: 0 }
    }

    pub(super) async fn turn_away(mut self) -> io::Result<()> {
        self.say("421 4.7.0 too many conversations; come back later").await
    }

    pub(super) async fn talk(mut self) -> io::Result<()> {
        self.say(&format!("220 {} ESMTP", self.domain())).await?;
        for _ in 0..MOST_COMMANDS {
            let Some(line) = self.line().await? else { return Ok(()) };
            match self.answer(&line) {
                Then::Reply(reply) => self.say(&reply).await?,
                Then::Data => self.data().await?,
                Then::Seal => self.seal().await?,
                Then::Bye => return self.say("221 2.0.0 good-bye").await,
            }
            if self.mistakes > MOST_MISTAKES {
                break;
            }
        }
        self.say("421 4.7.0 too many mistakes; good-bye").await
    }

    fn domain(&self) -> &str {
        self.mail.options().domains.first().map_or("localhost", String::as_str)
    }

    fn answer(&mut self, line: &[u8]) -> Then {
        let request = match Request::parse(&mut line.iter()) {
            Ok(request) => request,
            Err(error) => return self.mistake(&format!("500 5.5.2 {}", of_the_parser(&error))),
        };
        Then::Reply(match request {
            Request::Ehlo { .. } => {
                self.greeted = true;
                let size = self.mail.options().most_bytes;
                let seal = if self.can_be_sealed() { "250-STARTTLS\r\n" } else { "" };
                format!(
                    "250-{}\r\n250-SIZE {size}\r\n{seal}250-8BITMIME\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES",
                    self.domain()
                )
            }
            Request::Helo { .. } => {
                self.greeted = true;
                format!("250 {}", self.domain())
            }
            Request::Mail { from } => return self.begin(&from.address, from.size),
            Request::Rcpt { to } => return self.recipient(&to.address),
            Request::StartTls if self.can_be_sealed() => return Then::Seal,
            Request::StartTls if self.sealed => return self.mistake("503 5.5.1 TLS is on already"),
            Request::Data if self.to.is_empty() => return self.mistake("503 5.5.1 say RCPT TO first"),
            Request::Data => return Then::Data,
            Request::Rset => {
                self.forget();
                "250 2.0.0 done".to_owned()
            }
            Request::Noop { .. } => "250 2.0.0 done".to_owned(),
            Request::Quit => return Then::Bye,
            Request::Vrfy { .. } => "252 2.1.5 send it and see".to_owned(),
            _ => return self.mistake("502 5.5.1 this is not done here"),
        })
    }

    fn can_be_sealed(&self) -> bool {
        self.mail.options().tls.is_some() && !self.sealed
    }

    /// Goes on in TLS, and knows nothing of what was said in the clear (RFC 3207, 4.2).
    async fn seal(&mut self) -> io::Result<()> {
        if !self.rest.is_empty() {
            // Whoever sat between the two may have put it there, to be taken for what was said in TLS.
            self.say("554 5.5.1 nothing may follow STARTTLS before TLS; good-bye").await?;
            return Err(io::Error::other("commands came along with STARTTLS"));
        }
        let Some(tls) = self.mail.options().tls.clone() else { return Ok(()) };
        self.say("220 2.0.0 go on in TLS").await?;
        let stream = std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()));
        self.stream = Box::new(timeout(PATIENCE, tls.accept(stream)).await??);
        self.sealed = true;
        self.greeted = false;
        self.forget();
        Ok(())
    }

    fn mistake(&mut self, reply: &str) -> Then {
        self.mistakes += 1;
        Then::Reply(reply.to_owned())
    }

    fn begin(&mut self, from: &str, size: usize) -> Then {
        if !self.greeted {
            return self.mistake("503 5.5.1 say EHLO first");
        }
        if self.mail.options().require_tls && !self.sealed {
            return self.mistake("530 5.7.0 say STARTTLS first");
        }
        if self.from.is_some() {
            return self.mistake("503 5.5.1 one mail at a time");
        }
        if size > self.mail.options().most_bytes {
            return self.mistake("552 5.3.4 the mail is too large");
        }
        self.from = Some(from.to_owned());
        Then::Reply("250 2.1.0 go on".to_owned())
    }

    fn recipient(&mut self, to: &str) -> Then {
        let Some(from) = &self.from else { return self.mistake("503 5.5.1 say MAIL FROM first") };
        if self.to.len() >= MOST_RECIPIENTS {
            return self.mistake("452 4.5.3 too many recipients");
        }
        match self.mail.resolve(&self.node, from, to) {
            Ok(agent) => {
                self.to.push((to.to_owned(), agent));
                Then::Reply("250 2.1.5 go on".to_owned())
            }
            Err(refusal) => {
                tracing::info!(peer = %self.peer, to = %to.escape_debug(), code = refusal.code.as_str(), "a recipient was refused: {}", refusal.message);
                self.mistake(&reply_of(&refusal, "5.1.1"))
            }
        }
    }

    fn forget(&mut self) {
        self.from = None;
        self.to.clear();
    }

    async fn data(&mut self) -> io::Result<()> {
        self.say("354 go on; end with a line of one full stop").await?;
        let Some(raw) = self.receive().await? else { return Ok(()) };
        let (from, to) = (self.from.take().unwrap_or_default(), std::mem::take(&mut self.to));
        if raw.len() > self.mail.options().most_bytes {
            self.mistakes += 1;
            return self.say("552 5.3.4 the mail is too large").await;
        }
        let taken = self.mail.take(&self.node, Taken { from: &from, to: &to, raw: &raw }).await;
        match taken {
            Ok(()) => self.say("250 2.0.0 taken").await,
            Err(refusal) => {
                self.mistakes += 1;
                self.say(&reply_of(&refusal, "5.6.0")).await
            }
        }
    }

    /// A mail to its end. One that is too large is read to its end too, and only its beginning kept.
    async fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        let most = self.mail.options().most_bytes;
        let (mut receiver, mut raw) = (DataReceiver::new(), Vec::new());
        let mut seen = 0;
        loop {
            let chunk = std::mem::take(&mut self.rest);
            let mut bytes = chunk.iter();
            seen += chunk.len();
            let ended = receiver.ingest(&mut bytes, &mut raw);
            if ended {
                self.rest = bytes.as_slice().to_vec();
                return Ok(Some(raw));
            }
            if seen > most.saturating_mul(4) {
                return Err(io::Error::other("a mail without an end"));
            }
            // The receiver needs the last bytes to find the end; the rest of what is too much is dropped.
            if raw.len() > most.saturating_add(1 << 16) {
                raw.drain(..raw.len() - most - 1);
            }
            if !self.more().await? {
                return Ok(None);
            }
        }
    }

    /// The next line, its end included; `None` when the other side has gone.
    async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let rest = self.rest.split_off(end + 1);
                return Ok(Some(std::mem::replace(&mut self.rest, rest)));
            }
            if self.rest.len() > LONGEST_LINE {
                self.say("500 5.5.2 the line is too long").await?;
                return Ok(None);
            }
            if !self.more().await? {
                return Ok(None);
            }
        }
    }

    async fn more(&mut self) -> io::Result<bool> {
        let mut chunk = [0; 4096];
        let read = timeout(PATIENCE, self.stream.read(&mut chunk)).await??;
        self.rest.extend_from_slice(&chunk[..read]);
        Ok(read > 0)
    }

    async fn say(&mut self, reply: &str) -> io::Result<()> {
        timeout(PATIENCE, self.stream.write_all(format!("{reply}\r\n").as_bytes())).await??;
        // TLS may hold back what was written.
        timeout(PATIENCE, self.stream.flush()).await?
    }
}

/// For good, or for now: what is not the sender's fault may be sent again.
fn reply_of(refusal: &Refusal, class: &str) -> String {
    let text: String =
        refusal.message.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect();
    let code = refusal.code.as_str();
    match refusal.code {
        Code::MailUnroutable | Code::MalformedRequest | Code::NameTooLong | Code::TaskUnknown => {
            format!("550 {class} {text} ({code})")
        }
        Code::TaskTooLarge => format!("552 5.3.4 {text} ({code})"),
        _ => format!("451 4.3.0 it cannot be kept now; come back later ({code})"),
    }
}

fn of_the_parser(error: &smtp_proto::Error) -> &'static str {
    match error {
        smtp_proto::Error::UnknownCommand => "there is no such command",
        smtp_proto::Error::InvalidSenderAddress => "that is no sender",
        smtp_proto::Error::InvalidRecipientAddress => "that is no recipient",
        _ => "that is not how it is written",
    }
}
