//! What a webhook is: how it is signed, and whose it is.

mod door;
mod reading;
mod target;
mod template;
mod verify;

use std::{fmt, sync::Arc, time::Duration};

use hostel_core::{Agent, Result, Retry};
use hostel_protocol::name::kebab;
use hostel_vault::SecretValue;

pub(crate) use self::reading::hex;
pub use self::{
    door::{check, routes},
    target::Target,
    verify::{Algorithm, Encoding, Hmac, Scheme},
};
use self::{target::Untyped, template::Template};
use crate::Delivery;

/// The task that is handed a webhook if no other is named.
pub const DEFAULT_TASK: &str = "onWebhook";

type Choose = Arc<dyn Fn(&Delivery) -> Result<Untyped> + Send + Sync>;

/// A webhook: how it is signed, and which agent is handed it.
///
/// ```
/// use hostel_inbound::{Target, Webhook};
///
/// # fn demo<Repository: hostel_core::Agent>() -> hostel_core::Result<()> {
/// let github = Webhook::github("secret:GITHUB_WEBHOOK".parse()?)
///     .to::<Repository>(|delivery| match delivery.pointer("/repository/full_name") {
///         Some(name) => Target::agent(name),
///         None => Target::ignore("no repository"),
///     });
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Webhook {
    pub(crate) scheme: Scheme,
    pub(crate) secret: SecretValue,
    choose: Option<Choose>,
    /// The class, where it is known before a webhook comes.
    class: Option<String>,
    task: String,
    most_bytes: usize,
    tolerance: Duration,
    retry: Retry,
    by_id: bool,
    pub(crate) is_mail: bool,
}

impl Webhook {
    /// A webhook that is signed in a way of your choice.
    pub fn new(scheme: Scheme, secret: SecretValue) -> Self {
        Self {
            scheme,
            secret,
            choose: None,
            class: None,
            task: DEFAULT_TASK.to_owned(),
            most_bytes: 768 << 10,
            tolerance: Duration::from_secs(300),
            retry: Retry { attempts: 8, first: Duration::from_secs(1), longest: Duration::from_secs(600) },
            by_id: false,
            is_mail: false,
        }
    }

    /// GitHub's: `X-Hub-Signature-256`.
    pub fn github(secret: SecretValue) -> Self {
        Self::new(Scheme::GitHub, secret)
    }

    /// Stripe's: `Stripe-Signature`.
    pub fn stripe(secret: SecretValue) -> Self {
        Self::new(Scheme::Stripe, secret)
    }

    /// A mail that another program posts, as it is, to `/hooks/{name}?from=..&to=..`, with the secret as
    /// `Authorization: Bearer ..`. It goes where mail goes.
    pub fn email(secret: SecretValue) -> Self {
        Self { is_mail: true, most_bytes: 5 << 20, ..Self::new(Scheme::Token, secret) }
    }

    /// Hands it to an agent of the class `A`, which `choose` picks. Runs before the agent is woken, and must not wait.
    #[must_use]
    pub fn to<A: Agent>(mut self, choose: impl Fn(&Delivery) -> Target<A> + Send + Sync + 'static) -> Self {
        self.class = Some(kebab(A::CLASS));
        self.choose = Some(Arc::new(move |delivery| Ok(choose(delivery).untyped())));
        self
    }

    /// Hands it to the agent of `class` whose name a template gives: texts in braces are JSON pointers into the body
    /// (`{/repository/full_name}`), headers (`{header:x-team}`), or `{event}`.
    ///
    /// # Errors
    /// When the template cannot be read.
    pub fn to_named(mut self, class: &str, template: &str) -> Result<Self> {
        let template: Template = template.parse()?;
        let class = kebab(class);
        self.class = Some(class.clone());
        self.choose = Some(Arc::new(move |delivery| {
            Ok(Untyped { name: Some(template.fill(delivery)?), class: class.clone(), task: None, why: String::new() })
        }));
        Ok(self)
    }

    /// The task that is handed it, by its wire name. Default `onWebhook`.
    #[must_use]
    pub fn task(mut self, name: &str) -> Self {
        name.clone_into(&mut self.task);
        self
    }

    /// Greatest body that is taken. Default 768 KiB: arguments of a task have a limit of 1 MiB.
    #[must_use]
    pub fn most_bytes(mut self, bytes: usize) -> Self {
        self.most_bytes = bytes;
        self
    }

    /// What a body of the greatest size may take in the queue, with all that is kept beside it.
    #[doc(hidden)]
    pub fn bytes_in_the_queue(&self) -> usize {
        self.most_bytes.saturating_add(256 << 10)
    }

    /// How old a signature may be, where it says when it was made. Default 5 minutes.
    #[must_use]
    pub fn tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// How often the task is tried before the webhook is given up. Default 8 attempts within about half an hour.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Takes two of GitHub's with different ids for two even if their bodies are equal. By default what is signed decides:
    /// the id is not, so whoever records one could send it again under another.
    #[must_use]
    pub fn trust_ids(mut self) -> Self {
        self.by_id = true;
        self
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("scheme", &self.scheme).field("class", &self.class).finish_non_exhaustive()
    }
}
