//! Who answers on the port, and whether it is ready.

use hostel_client::http::{self, Answer};
use hostel_client::{Error, Target};
use hostel_protocol::Code;

use super::{Break, Doctor, Stop, explain, network};

impl Doctor<'_> {
    pub(super) async fn server(&mut self) -> Result<(), Stop> {
        let health = self.target.with_path("/healthz");
        let answer = match http::get(&health, &self.options).await {
            Ok(answer) => answer,
            Err(error) => return Err(self.silent(&error).await.into()),
        };
        if network::wants_tls(&answer) && self.speaks_tls().await {
            return Err(self.tls_port().into());
        }
        self.hostel = is_hostel(&answer);
        if let Some(broken) = explain::answer("server", &answer)
            && !has_no_health(&answer)
        {
            return Err(broken.into());
        }
        if !self.hostel {
            return Ok(self.report.passed("server", &self.stranger(&answer).await)?);
        }
        self.report.passed("server", "a Hostel server answers")?;
        self.ready(&health).await
    }

    /// A full or read-only disk shows here before any agent has to suffer.
    async fn ready(&mut self, health: &Target) -> Result<(), Stop> {
        match http::get(&health.with_path("/readyz"), &self.options).await {
            Ok(answer) if answer.status == 200 => Ok(self.report.passed("ready", "it takes new connections")?),
            Ok(answer) if answer.status == 503 => Err(not_ready(&answer).into()),
            _ => Ok(self.report.skipped("ready", "the server does not say")?),
        }
    }

    async fn stranger(&self, answer: &Answer) -> String {
        let name = match answer.header("server") {
            "" => "some HTTP server answers".to_owned(),
            name => format!("an HTTP server that calls itself {name} answers"),
        };
        let hint = match self.usual_port().await {
            Some(_) => "; a Hostel server is on port 8787",
            None => "",
        };
        format!("{name}, not known as Hostel{hint}")
    }

    async fn silent(&self, error: &Error) -> Break {
        let place = self.target.authority();
        if !self.target.is_tls() && self.speaks_tls().await {
            return self.tls_port();
        }
        match error {
            Error::Timeout { .. } => Break::new(
                "server",
                "no_answer",
                format!("{place} takes connections but does not answer an HTTP request in time."),
                "Restart the server or the proxy on that port; if the port belongs to something else, correct it.",
            ),
            _ => {
                let usual = self.usual_port().await;
                let fix = usual.map_or_else(
                    || "Correct the port in the URL: something else has it.".to_owned(),
                    |url| format!("Use port 8787, where a Hostel server answers: {url}"),
                );
                Break::new("server", "no_http", format!("What listens on {place} does not speak HTTP."), fix)
            }
        }
    }
}

fn not_ready(answer: &Answer) -> Break {
    explain::answer("ready", answer).unwrap_or_else(|| {
        let sentence = format!("The server says it is not ready: {}.", answer.summary());
        Break::known("ready", Code::ShuttingDown, sentence, "Wait until it is, or look into its log.")
    })
}

/// Whether nothing is served at `/healthz`: a program of somebody's own around the same agents.
fn has_no_health(answer: &Answer) -> bool {
    answer.problem().and_then(|problem| problem.code).is_some_and(|code| code == Code::NoRoute.as_str())
}

/// Whether the answer of `/healthz` is that of a Hostel server.
pub(super) fn is_hostel(answer: &Answer) -> bool {
    answer.header("server").to_ascii_lowercase().contains("hostel")
        || answer.text().to_ascii_lowercase().contains("hostel")
}
