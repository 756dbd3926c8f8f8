//! A help desk that takes mail on port 2525 and answers it through a mail server on this machine.
//!
//! ```console
//! $ cargo run -p hostel --example mail
//! $ swaks --server 127.0.0.1:2525 --to helpdesk+orders@agents.example    # or any other mail client
//! ```

use std::time::Duration;

use hostel::{Email, SendMail as _, mail, prelude::*};

/// One agent for each desk: mail to `helpdesk+orders@agents.example` is for `orders`.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
struct Helpdesk {
    questions: Vec<String>,
}

#[agent]
impl Helpdesk {
    /// Runs once for each mail. The answer leaves when this turn is durable.
    #[task]
    fn on_email(&mut self, cx: &Cx<Self>, email: &Email) -> Result<()> {
        self.questions.push(email.subject().unwrap_or_default());
        if !email.is_automatic() {
            cx.mail()?.send(email.reply("We have got your question and will look into it."))?;
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let smtp = mail::Smtp {
        host: "127.0.0.1".into(),
        port: None,
        tls: mail::SmtpTls::None,
        user: None,
        password: None,
        from: "Help desk <helpdesk@agents.example>".into(),
        timeout: Duration::from_secs(60),
    };
    let options = mail::Options {
        listen: Some(([127, 0, 0, 1], 2525).into()),
        domains: vec!["agents.example".into()],
        default_agent: Some("helpdesk".into()),
        smtp: Some(smtp),
        ..mail::Options::default()
    };
    Ok(App::new().agent::<Helpdesk>().mail(options).serve("127.0.0.1:8787").await?)
}
