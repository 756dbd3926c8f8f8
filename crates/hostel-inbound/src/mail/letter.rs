//! A mail that is to be sent.

use super::email::Attachment;

/// A mail that an agent writes.
///
/// ```
/// use hostel_inbound::Letter;
///
/// let letter = Letter::to("alice@example.org").subject("Your order").text("It is on its way.");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "a letter does nothing until it is sent"]
pub struct Letter {
    pub(super) from: Option<String>,
    pub(super) to: Vec<String>,
    pub(super) cc: Vec<String>,
    pub(super) bcc: Vec<String>,
    pub(super) reply_to: Option<String>,
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) in_reply_to: Option<String>,
    pub(super) references: Option<String>,
    pub(super) attachments: Vec<Attachment>,
}

impl Letter {
    /// A letter to this address: `alice@example.org` or `Alice <alice@example.org>`.
    pub fn to(address: impl Into<String>) -> Self {
        Self { to: vec![address.into()], ..Self::default() }
    }

    /// One more recipient.
    pub fn and_to(mut self, address: impl Into<String>) -> Self {
        self.to.push(address.into());
        self
    }

    /// A recipient whom the others see.
    pub fn cc(mut self, address: impl Into<String>) -> Self {
        self.cc.push(address.into());
        self
    }

    /// A recipient whom the others do not see.
    pub fn bcc(mut self, address: impl Into<String>) -> Self {
        self.bcc.push(address.into());
        self
    }

    /// Who writes, in place of the address that is configured.
    pub fn from(mut self, address: impl Into<String>) -> Self {
        self.from = Some(address.into());
        self
    }

    /// Where answers go, in place of the agent's own address.
    pub fn reply_to(mut self, address: impl Into<String>) -> Self {
        self.reply_to = Some(address.into());
        self
    }

    /// The subject.
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// What it says.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// The same as HTML, for those who show it.
    pub fn html(mut self, html: impl Into<String>) -> Self {
        self.html = Some(html.into());
        self
    }

    /// A file that goes with it: its name, its media type, and its bytes. The whole letter, with a third more for each file,
    /// waits in the queue, so it is bounded by what an order may be (1 MiB).
    pub fn attach(
        mut self,
        name: impl Into<String>,
        content_type: impl Into<String>,
        bytes: impl Into<Vec<u8>>,
    ) -> Self {
        let (name, content_type, bytes) = (Some(name.into()), content_type.into(), bytes.into());
        self.attachments.push(Attachment { name, content_type, bytes });
        self
    }

    /// A header of your own, beginning with `X-` or `List-`.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// It answers the mail with this id.
    pub(super) fn answers(mut self, id: &str, references: Option<&str>) -> Self {
        let id = format!("<{id}>");
        let before = references.map_or_else(String::new, |references| format!("{references} "));
        self.references = Some(before + &id);
        self.in_reply_to = Some(id);
        self
    }
}
