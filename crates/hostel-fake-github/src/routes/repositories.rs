//! Repositories.

use super::Here;
use crate::{
    answer::{Answer, Answered},
    http::Asked,
    shapes,
    world::{self, Scope, World},
};

pub(super) fn show(here: &Here<'_>) -> Answered {
    let writes = matches!(here.asked.who, Some((_, Scope::Write)));
    Ok(Answer::ok(shapes::repository(here.base, here.repository, writes)))
}

pub(super) fn create(world: &mut World, asked: &Asked, org: Option<&str>) -> Answered {
    let login = asked.writer()?;
    let owner = org.unwrap_or(&login).to_owned();
    let name = asked.text("name").unwrap_or_default().to_owned();
    if world.seen(&owner, &name, true).is_some() {
        return Err(Answer::invalid("Repository", "name", "name already exists on this account"));
    }
    let base = world.base.clone();
    let made = world.make(&owner, &name).map_err(|error| Answer::invalid("Repository", "name", &error.to_string()))?;
    made.private = asked.body["private"] == true;
    made.description = asked.text("description").map(str::to_owned);
    if asked.body["auto_init"] == true {
        let readme = ("README.md".to_owned(), Some(format!("# {name}\n").into_bytes()));
        made.commit("main", &[readme], "Initial commit", &world::author(&login)).map_err(Answer::conflict)?;
    }
    Ok(Answer::created(shapes::repository(&base, made, true)))
}
