//! From HTTP to an open WebSocket, and what stands in the way.

use hostel_client::http::{self, Answer};
use hostel_client::{Client, Error, Events};
use hostel_protocol::Code;
use hostel_protocol::name::{Route, nearest, route};
use http_types::{HeaderName, HeaderValue};

use super::{Break, Doctor, Stop, explain, path};

use ::http as http_types;

const PROXY: &str = "Let the proxy pass WebSockets: HTTP/1.1 to the server, with the headers Upgrade and Connection (nginx: \
     proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\").";

impl Doctor<'_> {
    /// The open socket; its events only if frames are to be watched, because events must be taken.
    pub(super) async fn upgrade(&mut self) -> Result<(Client, Option<Events>), Stop> {
        let mut options = self.options.clone();
        // A Hostel server that sees this without an Upgrade header knows that it was lost.
        let force = (HeaderName::from_static("x-agents-force-websocket"), HeaderValue::from_static("true"));
        options.headers.push(force);
        let opened = if self.args.dialect_check || self.args.frame.is_some() {
            Client::connect_with_events(&self.target, &options).await.map(|(client, events)| (client, Some(events)))
        } else {
            Client::connect(&self.target, &options).await.map(|client| (client, None))
        };
        match opened {
            Ok(open) => {
                self.report.passed("upgrade", "the WebSocket opens")?;
                Ok(open)
            }
            Err(error) => Err(self.not_open(&error).await.into()),
        }
    }

    async fn not_open(&self, error: &Error) -> Break {
        match error {
            Error::Refused(answer) => self.improved(self.refused(answer)).await,
            Error::FalseUpgrade { header } => Break::new(
                "upgrade",
                "false_upgrade",
                format!("Something answered 101 without having understood the WebSocket handshake (wrong {header})."),
                "Leave the upgrade to the server: no code or cache on the way may make up a 101 answer.",
            ),
            Error::Timeout { .. } => Break::new(
                "upgrade",
                "handshake_timeout",
                "The WebSocket handshake is not answered in time: something on the way waits for an end that never comes.",
                "Turn buffering off in the proxy for this path, and let it pass WebSockets.",
            ),
            other => {
                Break::new("upgrade", "handshake_failed", format!("The WebSocket handshake failed: {other}."), PROXY)
            }
        }
    }

    fn refused(&self, answer: &Answer) -> Break {
        if let Some(broken) = explain::answer("upgrade", answer) {
            return broken;
        }
        let status = answer.status;
        let says = answer.summary();
        match status {
            426 | 200..=299 => self.stripped(answer),
            300..=399 => Break::new(
                "upgrade",
                "redirected",
                format!("The server redirects with {status}, which browsers do not follow for a WebSocket."),
                format!("Connect to {} directly.", answer.header("location")),
            ),
            401 | 403 => Break::known(
                if status == 401 { "auth" } else { "origin" },
                if status == 401 { Code::Unauthorized } else { Code::Forbidden },
                format!("The server does not let this client in ({says})."),
                "Send the credentials it asks for in a cookie or the query, and check that it allows the page's origin.",
            ),
            400 if answer.text().trim() == "Invalid request" => self.unknown_slug(),
            502 | 504 => Break::new(
                "upgrade",
                "bad_gateway",
                format!("The proxy in front does not reach the server behind it ({says})."),
                "Correct the address of the server in the configuration of the proxy.",
            ),
            _ => self.other(answer),
        }
    }

    fn other(&self, answer: &Answer) -> Break {
        let text = answer.text();
        if text.contains("Missing namespace or room") || text.contains("experiencing connection issues") {
            return explain::words("upgrade", text.trim_start_matches("Error: "));
        }
        path::hint(&self.target).unwrap_or_else(|| {
            let sentence = format!("The server answered the WebSocket handshake with {}.", answer.summary());
            let fix = match self.hostel {
                true => "Look into the log of the server.",
                false => "Correct host and port: what answers there does not seem to serve agents.",
            };
            Break::new("upgrade", "refused", sentence, fix)
        })
    }

    fn stripped(&self, answer: &Answer) -> Break {
        let sentence = format!(
            "The WebSocket handshake was answered as a plain request ({}): a proxy on the way removes the Upgrade header.",
            answer.status
        );
        Break::known("upgrade", Code::UpgradeStripped, sentence, PROXY)
    }

    /// The Agents SDK answers an unknown slug with these words and nothing else.
    fn unknown_slug(&self) -> Break {
        let slug = match route(self.target.path(), "agents") {
            Route::Agent(path) => path.agent.to_owned(),
            Route::NoMatch(_) => self.target.path().to_owned(),
        };
        let sentence = format!("No agent class is reached under the name {slug:?}.");
        let fix = "Spell the class in kebab case: CoderAgent is /agents/coder-agent/{name}.";
        Break::known("routing", Code::UnknownAgent, sentence, fix)
    }

    /// Makes the change to make as concrete as the server's own list of classes allows.
    pub(super) async fn improved(&self, broken: Break) -> Break {
        let code = broken.code.parse();
        let fix = match code {
            Ok(Code::NoRoute | Code::MissingName) => path::hint(&self.target).map(|hint| hint.fix),
            Ok(Code::UnknownAgent) => self.meant().await,
            _ => None,
        };
        Break { fix: fix.unwrap_or(broken.fix), ..broken }
    }

    /// The address with the class that was probably meant.
    async fn meant(&self) -> Option<String> {
        let door = self.target.with_path("/_hostel/agents");
        let listed = http::get(&door, &self.options).await.ok()?.json()?;
        let classes = listed.get("classes")?.as_array()?;
        let known: Vec<&str> = classes.iter().filter_map(|class| class.get("namespace")?.as_str()).collect();
        let mut segments: Vec<&str> = self.target.path().split('/').collect();
        let at = segments.len().checked_sub(2)?;
        let wrong = (0..=at).rev().find(|at| !segments[*at].is_empty() && segments[*at] != "agents");
        let candidates = segments.iter().enumerate().filter(|(_, segment)| !segment.is_empty());
        let found = candidates.skip(1).find_map(|(at, segment)| Some((at, nearest(segment, known.iter().copied())?)));
        match (found, wrong) {
            (Some((at, near)), _) => {
                segments[at] = near;
                Some(format!("Use {}", self.target.with_path(&segments.join("/"))))
            }
            (None, Some(_)) if !known.is_empty() => {
                Some(format!("Use one of the classes served: {}.", known.join(", ")))
            }
            _ => None,
        }
    }
}
