//! Name, port, TLS.

use std::io;
use std::net::SocketAddr;

use hostel_client::{Error, Target, TlsOptions, dial, http};
use rustls::{AlertDescription, CertificateError};

use super::{Break, Doctor, Stop};

/// Where `hostel serve` listens unless told otherwise.
const USUAL_PORT: u16 = 8787;

impl Doctor<'_> {
    pub(super) async fn network(&mut self) -> Result<(), Stop> {
        let addresses = self.name().await?;
        let stream = self.port(&addresses).await?;
        if !self.target.is_tls() {
            drop(stream);
            return Ok(self.report.skipped("tls", "not asked for")?);
        }
        match dial::encrypt(stream, &self.target, &self.options.tls, self.args.timeout).await {
            Ok(_) => Ok(self.report.passed("tls", "the handshake works and the certificate is good")?),
            Err(error) => Err(self.tls_broken(&error).await.into()),
        }
    }

    async fn name(&mut self) -> Result<Vec<SocketAddr>, Stop> {
        let host = self.target.host();
        let addresses = dial::resolve(&self.target, self.args.timeout).await.map_err(|error| {
            let sentence = format!("The name {host} has no address: {}.", reason(&error));
            let fix = format!("Correct the host name in {}, or add it to DNS or to /etc/hosts.", self.target);
            Break::new("name", "name_not_found", sentence, fix)
        })?;
        let mut shown: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
        shown.dedup();
        let text = match shown.as_slice() {
            [only] if *only == host => format!("{host} needs no lookup"),
            _ => format!("{host} is {}", shown.join(", ")),
        };
        self.report.passed("name", &text)?;
        Ok(addresses)
    }

    async fn port(&mut self, addresses: &[SocketAddr]) -> Result<tokio::net::TcpStream, Stop> {
        match dial::tcp(addresses, self.args.timeout).await {
            Ok((stream, address)) => {
                self.report.passed("port", &format!("{address} takes connections"))?;
                Ok(stream)
            }
            Err(error) => Err(self.port_broken(&error).await.into()),
        }
    }

    async fn port_broken(&self, error: &Error) -> Break {
        let place = self.target.authority();
        let Error::Connect { address, source } = error else {
            return Break::new("port", "port_closed", format!("{place}: {error}."), "Correct the URL.");
        };
        if source.kind() == io::ErrorKind::TimedOut {
            let sentence = format!("{address} does not answer at all: something on the way drops the packets.");
            let fix = format!("Open port {} in the firewall of the server.", address.port());
            return Break::new("port", "port_filtered", sentence, fix);
        }
        let sentence = format!("Nothing listens on {address} ({source}).");
        let fix = match self.usual_port().await {
            Some(url) => format!("Use port {USUAL_PORT}, where a Hostel server answers: {url}"),
            None => format!("Start the server with `hostel serve --listen {address}`, or correct the port in the URL."),
        };
        Break::new("port", "port_closed", sentence, fix)
    }

    /// The same address on the usual port, if a Hostel server answers there.
    pub(super) async fn usual_port(&self) -> Option<String> {
        let usual = self.target.with_tls(false).with_port(USUAL_PORT);
        if usual.port() == self.target.port() {
            return None;
        }
        let answer = http::get(&usual.with_path("/healthz"), &self.options).await.ok()?;
        super::server::is_hostel(&answer).then(|| usual.ws_url())
    }

    async fn tls_broken(&self, error: &Error) -> Break {
        if self.answers_plainly().await {
            return self.plain_port();
        }
        let inner = match error {
            Error::Tls { source, .. } => source.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()),
            _ => None,
        };
        let host = self.target.host();
        match inner {
            Some(rustls::Error::InvalidCertificate(problem)) => certificate(problem, &host),
            Some(rustls::Error::InvalidMessage(_)) => self.plain_port(),
            Some(rustls::Error::AlertReceived(AlertDescription::UnrecognisedName)) => {
                let sentence = format!("The server has no certificate for {host}.");
                Break::new("tls", "certificate_missing", sentence, "Give the server a certificate for this name.")
            }
            _ => {
                let sentence = format!("The TLS handshake with {} failed: {}.", self.target.authority(), reason(error));
                let fix = format!("If the server has no TLS, use {}", self.target.with_tls(false));
                Break::new("tls", "tls_failed", sentence, fix)
            }
        }
    }

    async fn answers_plainly(&self) -> bool {
        let plain = self.target.with_tls(false).with_path("/healthz");
        // A TLS server may answer plain text with a 400 that says so.
        match http::get(&plain, &self.options).await {
            Ok(answer) => !wants_tls(&answer),
            Err(_) => false,
        }
    }

    fn plain_port(&self) -> Break {
        let sentence = format!(
            "The URL asks for TLS ({}), but port {} of {} speaks plain HTTP.",
            if self.args.target.as_deref().is_some_and(|text| text.starts_with("https")) { "https" } else { "wss" },
            self.target.port(),
            self.target.host(),
        );
        let fix = format!(
            "Use {} (in AgentClient and useAgent: protocol: \"ws\"), or turn TLS on with --tls-cert and --tls-key.",
            self.target.with_tls(false)
        );
        Break::new("tls", "plain_port", sentence, fix)
    }

    /// Whether the port, asked plainly without success, speaks TLS.
    pub(super) async fn speaks_tls(&self) -> bool {
        let Ok(addresses) = dial::resolve(&self.target, self.args.timeout).await else { return false };
        let Ok((stream, _)) = dial::tcp(&addresses, self.args.timeout).await else { return false };
        let any = TlsOptions { insecure: true, ..TlsOptions::default() };
        dial::encrypt(stream, &self.target, &any, self.args.timeout).await.is_ok()
    }

    pub(super) fn tls_port(&self) -> Break {
        let sentence = format!(
            "The URL asks for plain text, but port {} of {} speaks TLS.",
            self.target.port(),
            self.target.host()
        );
        let fix = format!("Use {} (in AgentClient and useAgent: protocol: \"wss\").", secure(&self.target));
        Break::new("tls", "tls_port", sentence, fix)
    }
}

fn secure(target: &Target) -> String {
    target.with_tls(true).ws_url()
}

/// An answer with which TLS servers greet plain text.
pub(super) fn wants_tls(answer: &http::Answer) -> bool {
    let ours = answer.problem().and_then(|problem| problem.code).is_some_and(|code| code == "plain_on_tls_port");
    let text = answer.text();
    ours || (answer.status == 400 && (text.contains("HTTPS port") || text.contains("HTTPS server")))
}

fn certificate(problem: &CertificateError, host: &str) -> Break {
    let (code, what, fix) = match problem {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            ("certificate_expired", "has expired", "Renew the certificate of the server.".to_owned())
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            ("certificate_not_yet_valid", "is not valid yet", "Set the clocks of both machines, or wait.".to_owned())
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (
            "certificate_wrong_name",
            "is for other names",
            format!("Connect under a name of the certificate, or get one for {host}."),
        ),
        _ => (
            "certificate_unknown",
            "comes from nobody this machine trusts",
            "Use a certificate of a known authority, or give its file with --ca-file (browsers need it installed)."
                .to_owned(),
        ),
    };
    Break::new("tls", code, format!("The certificate of {host} {what}."), fix)
}

/// The innermost reason of an error of connecting.
fn reason(error: &Error) -> String {
    match error {
        Error::Resolve { source, .. } | Error::Connect { source, .. } | Error::Tls { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}
