//! The list of conversations, kept live by the conversations themselves.

mod tell;

use hostel::{Code, Cx, Error, JsonSchema, Result, State, agent};
use serde::{Deserialize, Serialize};

pub(crate) use self::tell::{begun, name, order, tell};
use crate::CoderAgent;

/// How many a list has at most: the one that was quiet for longest goes.
const MOST: usize = 200;

/// How coding agents are called in the list.
const AGENT: &str = "coder";

/// The list of conversations with coding agents, newest first.
///
/// The list `default` has those that are everybody's. Somebody who is known has a list of their own beside it, under their subject,
/// of the conversations they took part in; an agent that is named by its owner's subject is in that one alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, State)]
pub struct Conversations {
    /// Newest first.
    #[state(server)]
    conversations: Vec<Conversation>,
}

/// A conversation, as the list shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Conversation {
    /// The agent's class, as clients name it.
    pub agent: String,
    /// The agent's name.
    pub name: String,
    /// What it is called; empty as long as nothing was said.
    pub title: String,
    /// When something happened last, in milliseconds since 1970.
    pub at: i64,
    /// Whether an answer is under way.
    pub working: bool,
    /// Whether somebody has to say yes or no.
    pub waiting: bool,
}

/// What a conversation tells of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct News {
    title: Option<String>,
    at: i64,
    working: bool,
    waiting: bool,
}

/// A conversation, and what it is to be called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Renaming {
    /// The conversation.
    pub name: String,
    /// Its title from now on.
    pub title: String,
}

/// A conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Which {
    /// The conversation.
    pub name: String,
}

/// The list of conversations with coding agents.
#[agent]
impl Conversations {
    /// Gives a conversation another title, in every list it is in.
    #[callable]
    async fn rename(cx: &Cx<Self>, what: Renaming) -> Result<()> {
        let is_known = cx.read(|me| me.conversations.iter().any(|one| one.name == what.name))?;
        if !is_known {
            return Err(unknown(&what.name));
        }
        cx.agent::<CoderAgent>(&what.name).name_conversation(what.title.clone()).await?;
        cx.update(|me| {
            if let Some(one) = me.conversations.iter_mut().find(|one| one.name == what.name) {
                one.title = tell::short(&what.title);
            }
        })
    }

    /// Takes a conversation off this list. It is not deleted, and comes back when something happens in it.
    #[callable]
    fn forget(&mut self, which: Which) -> Result<()> {
        let (Which { name }, before) = (which, self.conversations.len());
        self.conversations.retain(|one| one.name != name);
        if self.conversations.len() == before { Err(unknown(&name)) } else { Ok(()) }
    }

    /// A conversation tells how it is.
    #[callable(allow = "internal")]
    fn note(&mut self, cx: &Cx<Self>, news: News) {
        // Whose news it is the host says, not the news.
        if let Some(agent) = cx.caller_agent() {
            self.take(agent.name(), news);
        }
    }
}

impl Conversations {
    fn take(&mut self, name: &str, news: News) {
        let known = self.conversations.iter().position(|one| one.name == name);
        let before = known.map(|at| self.conversations.remove(at)).unwrap_or_default();
        let conversation = if before.at > news.at {
            // It was overtaken on its way.
            before
        } else {
            let News { title, at, working, waiting } = news;
            let title = title.unwrap_or(before.title);
            Conversation { agent: AGENT.to_owned(), name: name.to_owned(), title, at, working, waiting }
        };
        let place = self.conversations.partition_point(|one| one.at > conversation.at);
        self.conversations.insert(place, conversation);
        self.conversations.truncate(MOST);
    }
}

fn unknown(name: &str) -> Error {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
    Error::coded(Code::ConversationUnknown, format!("The list has no conversation {shown:?}."))
        .with_fix("take a name from the list's state")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(at: i64, working: bool) -> News {
        News { at, working, ..News::default() }
    }

    #[test]
    fn the_newest_comes_first_and_old_news_changes_nothing() {
        let mut list = Conversations::default();
        list.take("a", News { title: Some("A".into()), ..news(1, true) });
        list.take("b", news(2, true));
        list.take("a", news(3, false));
        list.take("a", news(2, true));
        let shown: Vec<_> = list.conversations.iter().map(|one| (&*one.name, &*one.title, one.working)).collect();
        assert_eq!(shown, [("a", "A", false), ("b", "", true)]);
    }

    #[test]
    fn the_list_does_not_grow_without_bound() {
        let mut list = Conversations::default();
        (0..300).for_each(|at| list.take(&at.to_string(), news(at, false)));
        assert_eq!((list.conversations.len(), &*list.conversations[0].name), (MOST, "299"));
    }
}
