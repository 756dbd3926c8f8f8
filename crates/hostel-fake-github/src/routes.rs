//! Which part answers what.

mod contents;
mod data;
mod issues;
mod pulls;
mod repositories;
mod search;

use http::Method;
use serde_json::{Value, json};

use crate::{
    answer::{Answer, Answered},
    http::Asked,
    shapes,
    world::{Repository, World},
};

/// Answers a request of the API.
pub(crate) fn answer(world: &mut World, asked: &Asked) -> Answered {
    let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
    match (&asked.method, &path[..]) {
        (&Method::GET, ["user"]) => me(asked),
        (&Method::GET, ["rate_limit"]) => Ok(Answer::ok(json!({"resources": {}}))),
        (&Method::POST, ["user", "repos"]) => repositories::create(world, asked, None),
        (&Method::POST, ["orgs", org, "repos"]) => repositories::create(world, asked, Some(org)),
        (&Method::GET, ["search", "code"]) => search::code(world, asked),
        (_, ["repos", owner, name, rest @ ..]) => within(world, asked, owner, name, rest),
        _ => Err(Answer::not_found()),
    }
}

fn me(asked: &Asked) -> Answered {
    let (login, _) = asked.who.as_ref().ok_or_else(|| Answer::error(401, "Requires authentication"))?;
    Ok(Answer::ok(shapes::user(login)).with("x-oauth-scopes", "repo"))
}

fn within(world: &mut World, asked: &Asked, owner: &str, name: &str, rest: &[&str]) -> Answered {
    let (base, id) = (world.base.clone(), world.id());
    let repository = world.seen(owner, name, asked.who.is_some()).ok_or_else(Answer::not_found)?;
    let mut here = Here { base: &base, repository, id, asked };
    match (&asked.method, rest) {
        (&Method::GET, []) => repositories::show(&here),
        (&Method::GET, ["contents", path @ ..]) => contents::show(&here, &path.join("/")),
        (&Method::PUT, ["contents", path @ ..]) => contents::put(&here, &path.join("/")),
        (&Method::GET, ["commits"]) => data::commits(&here),
        (&Method::GET, ["git", "ref", "heads", branch @ ..]) => data::reference(&here, &branch.join("/")),
        (&Method::POST, ["git", "refs"]) => data::begin(&here),
        (&Method::PATCH, ["git", "refs", "heads", branch @ ..]) => data::move_to(&here, &branch.join("/")),
        (&Method::GET, ["git", "blobs", id]) => data::blob(&here, id),
        (&Method::GET, ["git", "commits", id]) => data::commit(&here, id),
        (&Method::POST, ["git", "trees"]) => data::tree(&here),
        (&Method::POST, ["git", "commits"]) => data::make(&here),
        (&Method::GET, ["issues"]) => issues::list(&here),
        (&Method::POST, ["issues"]) => issues::create(&mut here),
        (&Method::GET, ["issues", number]) => issues::show(&mut here, number),
        (&Method::PATCH, ["issues", number]) => issues::update(&mut here, number),
        (&Method::GET, ["issues", number, "comments"]) => issues::comments(&mut here, number),
        (&Method::POST, ["issues", number, "comments"]) => issues::comment(&mut here, number),
        (&Method::GET, ["pulls"]) => pulls::list(&here),
        (&Method::POST, ["pulls"]) => pulls::create(&mut here),
        (&Method::GET, ["pulls", number]) => pulls::show(&here, number),
        _ => Err(Answer::not_found()),
    }
}

/// A request about a repository.
struct Here<'a> {
    base: &'a str,
    repository: &'a mut Repository,
    /// For what is made.
    id: u64,
    asked: &'a Asked,
}

/// One page of `all`, with the links to the others.
fn page(here: &Asked, base: &str, all: &[Value]) -> Answer {
    let number = |name: &str, default: usize| here.query(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let size = number("per_page", 30).clamp(1, 100);
    let (at, last) = (number("page", 1).max(1), all.len().div_ceil(size).max(1));
    let items: Vec<Value> = all.iter().skip((at - 1) * size).take(size).cloned().collect();
    let answer = Answer::ok(Value::Array(items));
    let link = |page: usize, rel: &str| {
        let others = here.query.iter().filter(|(name, _)| name != "page");
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(others)
            .append_pair("page", &page.to_string())
            .finish();
        format!("<{base}/api/v3/{}?{query}>; rel=\"{rel}\"", here.path.join("/"))
    };
    if at >= last {
        return answer;
    }
    answer.with("link", [link(at + 1, "next"), link(last, "last")].join(", "))
}
