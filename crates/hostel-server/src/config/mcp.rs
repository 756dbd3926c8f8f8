//! `[mcp]`: which MCP servers agents may use, and which classes are MCP servers themselves.

mod server;

use std::collections::BTreeMap;

use hostel::mcp::{PublicUrl, Reach};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

pub use self::server::{ProgramSection, RemoteSection, ServerSection};
use super::origin::Origin;
use super::sections::Time;
use super::value::Value as _;

/// `[mcp]`: the Model Context Protocol, in both directions.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct McpSection {
    /// Hosts beyond the public internet that agents may use servers at.
    #[serde(deserialize_with = "hosts")]
    pub allow_hosts: Vec<String>,
    /// Classes whose methods are tools at `/agents/{agent}/{name}/mcp`.
    pub serve: Vec<String>,
    /// Where browsers reach this server, for those who sign in somewhere and come back.
    #[serde(deserialize_with = "public_url")]
    pub public_url: Option<PublicUrl>,
    /// Where those are sent who have signed in.
    pub after_sign_in: Option<String>,
    /// Where a document about this server is, for authorization servers that know clients by one.
    pub client_metadata_url: Option<String>,
    /// How long a connection without calls is kept.
    pub idle: Option<Time>,
    /// How long connecting may take.
    pub deadline: Option<Time>,
    /// The most servers of one agent.
    pub max_servers: Option<usize>,
    /// `[mcp.servers.NAME]`: servers that agents may use.
    pub servers: BTreeMap<String, ServerSection>,
}

fn hosts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let hosts = Vec::<String>::deserialize(deserializer)?;
    reach(&hosts).map_err(D::Error::custom)?;
    Ok(hosts)
}

fn public_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PublicUrl>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(D::Error::custom)
}

fn reach(hosts: &[String]) -> Result<Reach, hostel::mcp::BadHost> {
    hosts.iter().try_fold(Reach::public(), |reach, host| reach.allow(host))
}

impl McpSection {
    /// What agents may reach.
    ///
    /// # Errors
    /// A text among the hosts that names none.
    pub fn reach(&self) -> Result<Reach, hostel::mcp::BadHost> {
        reach(&self.allow_hosts)
    }

    /// Its values by their names.
    fn entries(&self) -> Vec<(String, String)> {
        let mut entries = vec![
            ("allow_hosts".to_owned(), self.allow_hosts.join(",")),
            ("serve".to_owned(), self.serve.join(",")),
            ("public_url".to_owned(), self.public_url.as_ref().map(ToString::to_string).unwrap_or_default()),
            ("after_sign_in".to_owned(), self.after_sign_in.clone().unwrap_or_default()),
            ("client_metadata_url".to_owned(), self.client_metadata_url.clone().unwrap_or_default()),
            ("idle".to_owned(), self.idle.map(|time| time.0.show()).unwrap_or_default()),
            ("deadline".to_owned(), self.deadline.map(|time| time.0.show()).unwrap_or_default()),
            ("max_servers".to_owned(), self.max_servers.map(|most| most.to_string()).unwrap_or_default()),
        ];
        entries.retain(|(_, value)| !value.is_empty());
        entries.extend(self.servers.iter().flat_map(|(name, server)| server.entries(name)));
        entries
    }
}

impl super::Config {
    /// `[mcp]` as `hostel config` prints it: name, value without secrets, and where it came from.
    #[must_use]
    pub fn mcp_entries(&self) -> Vec<(String, String, Origin)> {
        let Some((section, origin)) = &self.sections.mcp else { return Vec::new() };
        let entries = section.entries().into_iter();
        entries.map(|(name, value)| (format!("mcp.{name}"), value, origin.clone())).collect()
    }
}
