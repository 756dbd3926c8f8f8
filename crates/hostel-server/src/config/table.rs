//! The table: name, flag, default and meaning of every setting, once.
//!
//! The struct [`Config`], the command line, `hostel config` and `docs/configuration.md` are
//! all made from it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use hostel::Rate;

use super::history::Histories;
use super::origin::{Layered, Origin};
use super::sections::Sections;
use super::value::{ByteSize, Kind, LogFormat, Mode, Networks, OrOff, Value};

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The key in `hostel.toml`.
    pub name: &'static str,
    /// The flag, without the dashes.
    pub flag: &'static str,
    /// What stands for its value in a help text.
    pub placeholder: &'static str,
    /// The default, as text; empty for none.
    pub default: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// How it takes its values.
    pub kind: Kind,
}

impl Setting {
    /// The environment variable: `HOSTEL_` and the name in capitals.
    #[must_use]
    pub fn env(&self) -> String {
        format!("HOSTEL_{}", self.name.to_ascii_uppercase())
    }

    /// The values in one text: a list is separated by commas.
    pub(super) fn split(&self, text: &str) -> Vec<String> {
        match self.kind {
            Kind::List => text.split(',').map(str::to_owned).collect(),
            Kind::Single | Kind::Switch => vec![text.to_owned()],
        }
    }
}

/// The row with this name.
#[must_use]
pub fn setting(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// A setting with its value, as `hostel config` prints it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The row of the table.
    pub setting: &'static Setting,
    /// The value, as text.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

macro_rules! settings {
    ($($name:ident: $ty:ty = $default:literal, $flag:literal $placeholder:literal, $doc:literal;)*) => {
        /// The whole configuration. Each value knows where it came from.
        #[allow(rustdoc::bare_urls, reason = "the same text stands in the help of the command line")]
        #[derive(Debug, Clone)]
        pub struct Config {
            $(#[doc = $doc] pub $name: Layered<$ty>,)*
            /// What single classes keep of their history, from the tables `[history.CLASS]` of the file.
            pub histories: Histories,
            /// What has a table of its own in the file.
            pub sections: Sections,
        }

        /// Every setting, in the order of the documentation.
        pub const SETTINGS: &[Setting] = &[$(Setting {
            name: stringify!($name),
            flag: $flag,
            placeholder: $placeholder,
            default: $default,
            doc: $doc,
            kind: <$ty as Value>::KIND,
        },)*];

        impl Default for Config {
            fn default() -> Self {
                let read = "the default of a setting can be read";
                Self {
                    $($name: Layered::new(<$ty>::read(&[$default.to_owned()]).expect(read)),)*
                    histories: Histories::default(),
                    sections: Sections::default(),
                }
            }
        }

        impl Config {
            /// Sets one value; the sentence of an error says what was expected.
            pub(super) fn set(
                &mut self,
                name: &str,
                texts: &[String],
                origin: Origin,
            ) -> Result<(), String> {
                match name {
                    $(stringify!($name) => {
                        self.$name = Layered { value: <$ty>::read(texts)?, origin };
                        Ok(())
                    })*
                    _ => Err(format!("there is no setting {name:?}")),
                }
            }

            /// Every value with its origin, in the order of [`SETTINGS`].
            #[must_use]
            pub fn entries(&self) -> Vec<Entry> {
                let values = [$((self.$name.value.show(), self.$name.origin.clone()),)*];
                let rows = SETTINGS.iter().zip(values);
                rows.map(|(setting, (value, origin))| Entry { setting, value, origin }).collect()
            }
        }
    };
}

settings! {
    listen: SocketAddr = "127.0.0.1:8787", "listen" "ADDR:PORT",
        "Address and port to listen on. Anything but a loopback address also needs authentication, [auth], or --insecure-no-auth.";
    data: PathBuf = ".hostel", "data" "DIR",
        "Directory of the agents' databases; it is made if it does not exist.";
    prefix: String = "agents", "prefix" "PATH",
        "First part of an agent's path, as in /agents/coder-agent/default; several segments are possible.";
    tls_cert: Option<PathBuf> = "", "tls-cert" "FILE",
        "Certificate chain in PEM form. Together with --tls-key it turns TLS on.";
    tls_key: Option<PathBuf> = "", "tls-key" "FILE",
        "Private key of the certificate, in PEM form.";
    allow_origins: Vec<String> = "", "allow-origin" "ORIGIN",
        "Origin of a page that may connect, and read plain HTTP answers (CORS), besides those served from this server itself, such as https://app.example; * for all. Repeatable.";
    allow_hosts: Vec<String> = "", "allow-host" "HOST",
        "Host name under which clients may reach this server besides loopback names and the listening address; * for all. Repeatable.";
    insecure_no_auth: bool = "false", "insecure-no-auth" "BOOL",
        "Listen beyond loopback although nobody is asked who they are: whoever reaches the port can read and steer every agent.";
    mode: Mode = "auto", "mode" "MODE",
        "development: refusals list agents and methods; production: they do not; auto: development on a loopback address only.";
    log_level: String = "info", "log-level" "FILTER",
        "What is logged: error, warn, info, debug, trace, or a list such as info,hostel_edge=debug.";
    log_format: LogFormat = "auto", "log-format" "FORMAT",
        "text for people, json for machines; auto: text on a terminal, json elsewhere.";
    compression: bool = "true", "compression" "BOOL",
        "Compress messages (permessage-deflate) for clients that offer it.";
    max_connections: usize = "20000", "max-connections" "N",
        "Open connections in all, sockets included.";
    max_connections_per_ip: usize = "1024", "max-connections-per-ip" "N",
        "Open connections of one client address.";
    max_message_bytes: ByteSize = "1MiB", "max-message-bytes" "SIZE",
        "Greatest message of a client, after decompression; at most 32MiB.";
    max_body_bytes: ByteSize = "16MiB", "max-body-bytes" "SIZE",
        "Greatest body of an HTTP request.";
    max_header_bytes: ByteSize = "32KiB", "max-header-bytes" "SIZE",
        "Greatest head of an HTTP request, request line included.";
    outbox_bytes: ByteSize = "8MiB", "outbox-bytes" "SIZE",
        "How much may wait for a client that does not read before it is closed, besides one state of any size.";
    connect_rate: OrOff<Rate> = "off", "connect-rate" "RATE",
        "How often one address, and one identity, may open a socket, such as 20/s or 600/m; beyond that it is told to come back later.";
    request_rate: OrOff<Rate> = "off", "request-rate" "RATE",
        "How often one address, and one identity, may send an HTTP request to agents.";
    message_rate: OrOff<Rate> = "off", "message-rate" "RATE",
        "How many messages one identity, or one unknown address, may send over its sockets; beyond that they are read more slowly.";
    wrong_token_rate: OrOff<Rate> = "60/m", "wrong-token-rate" "RATE",
        "How many wrong tokens one address may send before none of that address are taken for a while.";
    trusted_proxies: Networks = "", "trusted-proxy" "NETWORK",
        "Address or network of a proxy that is believed what it says of where a request comes from (X-Forwarded-For, X-Forwarded-Proto), such as 10.0.0.0/8. Repeatable.";
    handshake_deadline: Duration = "5s", "handshake-deadline" "TIME",
        "From the accepted connection to the first byte of a request, TLS included.";
    header_deadline: Duration = "5s", "header-deadline" "TIME",
        "From the first byte of a request head to its last.";
    keep_alive: Duration = "1m", "keep-alive" "TIME",
        "How long an HTTP connection may idle between two requests.";
    ping_interval: Duration = "30s", "ping-interval" "TIME",
        "How often a silent socket is asked whether it is still there.";
    hibernate_after: Duration = "10s", "hibernate-after" "TIME",
        "How long an agent idles before it leaves memory; its sockets stay open.";
    state_warn_bytes: ByteSize = "1MiB", "state-warn-bytes" "SIZE",
        "State of an agent, as JSON, from which on the log warns: it is sent whole to every client at each change.";
    state_bytes: ByteSize = "256MiB", "state-bytes" "SIZE",
        "State of an agent, as JSON, that is refused, to protect the server.";
    model: String = "main", "model" "NAME",
        "The model that agents use where nothing names another: a table [models.NAME], or scripted for the built-in one that needs no key.";
    turn_deadline: Duration = "2s", "turn-deadline" "TIME",
        "How long the SQL of one turn may take, all statements together, before the turn is rolled back.";
    task_queue: usize = "10000", "task-queue" "N",
        "How many runs of tasks, scheduled or queued, may wait for one agent.";
    dead_letters: usize = "1000", "dead-letters" "N",
        "How many runs that were given up are kept for one agent, to be looked at and run again; beyond it the oldest are forgotten.";
    run_retention: Duration = "30d", "run-retention" "TIME",
        "How long a durable run that has ended is kept, with its steps.";
    run_steps: usize = "10000", "run-steps" "N",
        "How many steps one durable run may have.";
    call_hops: usize = "64", "call-hops" "N",
        "How many agents may wait for each other in one chain of calls.";
    history_age: OrOff<Duration> = "30d", "history-age" "TIME",
        "How long the turns of an agent can be looked at and gone back to, after which they may be removed; off for no history.";
    history_bytes: OrOff<ByteSize> = "4GiB", "history-bytes" "SIZE",
        "How much history each agent class may keep on disk; beyond it the oldest goes first; off for no history.";
    drain_deadline: Duration = "10s", "drain-deadline" "TIME",
        "How long a stopping server waits for requests and sockets to end.";
}
