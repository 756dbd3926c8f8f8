//! `hostel doctor --listen`: takes the place of the server, accepts whatever comes, and tells
//! each client what it does wrong.

mod answer;
mod crowd;
mod examine;
mod talk;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::output::{self, Paint, harmless};
use crowd::Crowd;
use examine::Note;

/// How long a client may stay silent after connecting.
const SILENCE: Duration = Duration::from_secs(5);

/// A TLS alert: `protocol_version`, fatal. Browsers then say that the server has no TLS.
const ALERT: [u8; 7] = [0x15, 3, 1, 0, 2, 2, 70];

/// Listens until Ctrl-C.
pub(crate) async fn run(address: &str) -> anyhow::Result<ExitCode> {
    let listener = bind(address).await?;
    let address = listener.local_addr().context("the listening address is not known")?;
    output::line(&format!("Waiting for clients on {address}. Point one here and reload it; Ctrl-C ends."))?;
    let (log, mut lines) = Log::channel();
    loop {
        tokio::select! {
            Some(line) = lines.recv() => output::line(&line)?,
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => drop(tokio::spawn(meet(stream, from, log.visitor()))),
                // Out of descriptors, most likely: waiting is all that helps.
                Err(_) => sleep(Duration::from_millis(100)).await,
            },
            _ = tokio::signal::ctrl_c() => return Ok(ExitCode::SUCCESS),
        }
    }
}

async fn bind(address: &str) -> anyhow::Result<TcpListener> {
    let whole = match address.parse::<u16>() {
        Ok(port) => format!("127.0.0.1:{port}"),
        Err(_) => address.to_owned(),
    };
    TcpListener::bind(&whole).await.with_context(|| {
        format!("cannot listen on {whole}; if the server runs there, stop it first or name another port")
    })
}

/// Where visits are written down.
struct Log {
    lines: mpsc::UnboundedSender<String>,
    crowd: Arc<Crowd>,
    paint: Paint,
}

impl Log {
    fn channel() -> (Self, mpsc::UnboundedReceiver<String>) {
        let (lines, receiver) = mpsc::unbounded_channel();
        (Self { lines, crowd: Arc::default(), paint: Paint::stdout() }, receiver)
    }

    fn visitor(&self) -> Visitor {
        let number = self.crowd.next();
        Visitor { number, lines: self.lines.clone(), crowd: self.crowd.clone(), paint: self.paint }
    }
}

/// One connection, and what there is to say about it.
#[derive(Clone)]
struct Visitor {
    number: u64,
    lines: mpsc::UnboundedSender<String>,
    crowd: Arc<Crowd>,
    paint: Paint,
}

impl Visitor {
    fn say(&self, text: &str) {
        // It fails only while the program ends.
        let _ = self.lines.send(format!("#{} {}", self.number, harmless(text)));
    }

    fn note(&self, note: &Note) {
        match note {
            Note::Right(text) => self.mark(&self.paint.green("✓"), text),
            Note::Wrong(found) => {
                self.mark(&self.paint.red("✗"), &format!("{}: {}", found.code, found.sentence));
                self.mark(&self.paint.bold("Change:"), &found.fix);
            }
        }
    }

    fn mark(&self, mark: &str, text: &str) {
        let _ = self.lines.send(format!("#{} {mark} {}", self.number, harmless(text)));
    }
}

async fn meet(stream: TcpStream, from: SocketAddr, visitor: Visitor) {
    visitor.say(&format!("a client from {from}"));
    let mut first = [0; 24];
    let Ok(Ok(length)) = timeout(SILENCE, stream.peek(&mut first)).await else {
        return visitor.note(&examine::silent());
    };
    match &first[..length] {
        [] => visitor.say("it left without a word, as a check whether the port is open does"),
        [0x16, 3, ..] => refuse_tls(stream, &visitor).await,
        bytes if bytes.starts_with(b"PRI * HTTP/2") => visitor.note(&examine::http2()),
        _ => serve(stream, visitor).await,
    }
}

async fn refuse_tls(mut stream: TcpStream, visitor: &Visitor) {
    let port = stream.local_addr().map_or(0, |address| address.port());
    visitor.note(&examine::tls(port));
    // The client goes away either way.
    let _ = stream.write_all(&ALERT).await;
}

async fn serve(stream: TcpStream, visitor: Visitor) {
    let of_connection = visitor.clone();
    let service = service_fn(move |request| {
        let visitor = visitor.clone();
        async move { Ok::<_, std::convert::Infallible>(answer::answer(request, &visitor)) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(SILENCE).half_close(true);
    let served = server.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
    if let Err(error) = served
        && (error.is_parse() || error.is_incomplete_message())
    {
        of_connection.note(&examine::no_http(&error));
    }
}
