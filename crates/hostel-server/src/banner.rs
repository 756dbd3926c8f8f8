//! What the person who starts the server sees: where it is, and how to connect.

use std::{fmt, net::SocketAddr, path::Path};

/// URLs, and a client snippet ready to paste.
#[derive(Debug, Clone)]
pub struct Banner {
    host: String,
    tls: bool,
    prefix: String,
    data: String,
}

impl Banner {
    pub(crate) fn new(address: SocketAddr, tls: bool, prefix: &str, data: &Path) -> Self {
        let host = match address.ip() {
            ip if ip.is_loopback() || ip.is_unspecified() => format!("localhost:{}", address.port()),
            _ => address.to_string(),
        };
        Self { host, tls, prefix: prefix.to_owned(), data: data.display().to_string() }
    }

    /// The server's URL.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.host)
    }
}

impl fmt::Display for Banner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, tls, prefix, data } = self;
        let (ws, url) = (if *tls { "wss" } else { "ws" }, self.url());
        writeln!(f, "Hostel {} is listening on {url}", env!("CARGO_PKG_VERSION"))?;
        writeln!(f)?;
        match hostel_page::Page::built() {
            Ok(()) => writeln!(f, "  page     {url}/")?,
            Err(why) => writeln!(f, "  page     not in this binary: {why}")?,
        }
        writeln!(f, "  agent    {ws}://{host}/{prefix}/coder-agent/default")?;
        writeln!(f, "  health   {url}/healthz    metrics  {url}/metrics")?;
        writeln!(f, "  data     {data}")?;
        writeln!(f)?;
        writeln!(f, "Connect with the published client (npm install agents):")?;
        writeln!(f)?;
        writeln!(f, "  import {{ AgentClient }} from \"agents/client\";")?;
        let prefix = if prefix == "agents" { String::new() } else { format!(", prefix: \"{prefix}\"") };
        let protocol = if host.starts_with("localhost") && *tls { ", protocol: \"wss\"" } else { "" };
        writeln!(
            f,
            "  const agent = new AgentClient({{ agent: \"CoderAgent\", name: \"default\", host: \"{host}\"{prefix}{protocol} }});"
        )?;
        writeln!(f, "  await agent.call(\"setProjectContext\", [{{ repoOwner: \"me\", repoName: \"project\" }}]);")?;
        writeln!(f)?;
        write!(f, "No connection? Run: hostel doctor {ws}://{host}/{}/coder-agent/default", self.prefix)
    }
}
