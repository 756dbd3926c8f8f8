//! Which server is meant, or which directory in its place.

use std::path::PathBuf;

use clap::Args;
use hostel_client::{Options, Target, TlsOptions};

/// Which server, and how to reach it.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServerArgs {
    /// The server that agents are looked for at; a path in it replaces the prefix `agents`.
    #[arg(long, alias = "server", value_name = "URL", env = "HOSTEL_URL", default_value = "http://127.0.0.1:8787")]
    pub(crate) url: String,
    /// Connect as a page of this origin would.
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) origin: Option<String>,
    /// A header to send, as in `--header 'Cookie: a=b'`. Repeatable.
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub(crate) headers: Vec<Header>,
    /// The token to show. On the command line others on this machine may see it; the variable is better.
    #[arg(long, value_name = "TOKEN", env = "HOSTEL_TOKEN", hide_env_values = true, value_parser = bearer)]
    pub(crate) token: Option<http::HeaderValue>,
    /// A PEM file of certificate authorities to trust besides the well-known ones.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Take any certificate.
    #[arg(long)]
    pub(crate) insecure: bool,
}

pub(crate) type Header = (http::HeaderName, http::HeaderValue);

fn header(text: &str) -> Result<Header, String> {
    let (name, value) = text.split_once(':').ok_or("expected NAME: VALUE")?;
    let name = name.trim().parse().map_err(|_| format!("{name:?} is no header name"))?;
    let value = value.trim().parse().map_err(|_| "the value cannot be sent in a header".to_owned())?;
    Ok((name, value))
}

fn bearer(token: &str) -> Result<http::HeaderValue, String> {
    let value = format!("Bearer {}", token.trim()).parse::<http::HeaderValue>();
    let mut value = value.map_err(|_| "the token cannot be sent in a header".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

impl ServerArgs {
    pub(crate) fn options(&self) -> Options {
        let token = self.token.iter().map(|token| (http::header::AUTHORIZATION, token.clone()));
        Options {
            origin: self.origin.clone(),
            headers: self.headers.iter().cloned().chain(token).collect(),
            tls: TlsOptions { ca_file: self.ca_file.clone(), insecure: self.insecure },
            ..Options::default()
        }
    }

    /// The address of `text`, which is a URL or an `agent/name`.
    pub(crate) fn target(&self, text: &str) -> Result<Target, hostel_client::Error> {
        Ok(Target::parse(text, &self.full_url())?)
    }

    /// The address of a path of the server itself.
    pub(crate) fn path(&self, path: &str) -> Result<Target, hostel_client::Error> {
        Ok(self.base()?.with_path(path))
    }

    /// What stands before an agent and its name in a path of this server.
    pub(crate) fn prefix(&self) -> Result<String, hostel_client::Error> {
        let base = self.base()?;
        Ok(match base.path().trim_matches('/') {
            "" => "agents".to_owned(),
            prefix => prefix.to_owned(),
        })
    }

    fn base(&self) -> Result<Target, hostel_client::Error> {
        Ok(Target::parse(&self.full_url(), "")?)
    }

    /// `localhost:8787` is as good as with its scheme.
    fn full_url(&self) -> String {
        match self.url.contains("://") {
            true => self.url.clone(),
            false => format!("http://{}", self.url),
        }
    }
}

/// Where agents are: at a server, or in a directory that none runs on.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Open this data directory, of a server that is stopped, instead of asking a running one.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Where agents are, and how what was found there is printed.
#[derive(Debug, Args)]
pub(crate) struct Look {
    /// Show times as RFC 3339 in UTC instead of local time.
    #[arg(long)]
    pub(crate) utc: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}
