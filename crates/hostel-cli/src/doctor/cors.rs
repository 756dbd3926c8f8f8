//! The plain requests of a page: history, and whether the page may read the answers.

use ::http::{HeaderName, HeaderValue, Method};
use hostel_client::http;

use super::{Break, Doctor, Stop, explain};

impl Doctor<'_> {
    pub(super) async fn history(&mut self) -> Result<(), Stop> {
        let target = self.history_target();
        let Ok(answer) = http::get(&target, &self.options).await else {
            return Ok(self.report.skipped("history", "get-messages is not answered")?);
        };
        let code = answer.problem().and_then(|problem| problem.code).unwrap_or_default();
        match (answer.status, answer.json()) {
            (200, Some(serde_json::Value::Array(messages))) => {
                Ok(self.report.passed("history", &format!("{} messages", messages.len()))?)
            }
            (404 | 501, _) => Ok(self.report.skipped("history", "not available before chat")?),
            (500..=599, _) if code.starts_with("storage_") || code.starts_with("agent_") => {
                let broken = explain::answer("history", &answer);
                broken.map_or(Ok(()), |broken| Err(broken.into()))
            }
            (status, _) => Ok(self.report.skipped("history", &format!("get-messages answers {status}"))?),
        }
    }

    fn history_target(&self) -> hostel_client::Target {
        self.target.with_path(&format!("{}/get-messages", self.target.path().trim_end_matches('/')))
    }

    pub(super) async fn cors(&mut self) -> Result<(), Stop> {
        let Some(origin) = self.options.origin.clone() else {
            return Ok(self.report.skipped("cors", "no --origin was given")?);
        };
        if origin == self.target.origin() {
            return Ok(self.report.passed("cors", "the page comes from this server itself")?);
        }
        let mut options = self.options.clone();
        let method = HeaderName::from_static("access-control-request-method");
        options.headers.push((method, HeaderValue::from_static("GET")));
        let target = self.history_target();
        let allowed = match http::request(&target, &options, Method::OPTIONS, None).await {
            Ok(answer) => answer.header("access-control-allow-origin").to_owned(),
            Err(_) => String::new(),
        };
        if allowed == "*" || allowed == origin {
            return Ok(self.report.passed("cors", &format!("pages of {origin} may read answers"))?);
        }
        let sentence = format!(
            "The WebSocket works, but pages of {origin} may not read plain HTTP answers such as get-messages (CORS)."
        );
        let fix = format!("Allow the origin: hostel serve --allow-origin {origin}");
        Err(Break::new("cors", "cors_missing", sentence, fix).into())
    }
}
