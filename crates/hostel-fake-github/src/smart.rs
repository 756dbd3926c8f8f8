//! Git over HTTP, by `git http-backend`.

use std::{path::PathBuf, process::Stdio, sync::Arc};

use anyhow::Context as _;
use axum::{body::Body, response::Response};
use data_encoding::BASE64;
use http::{HeaderMap, request::Parts};
use parking_lot::Mutex;
use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::{
    answer::Answer,
    git,
    world::{Scope, World, Write},
};

/// A repository that git asks for, and the rest of the path.
pub(crate) struct Asked {
    owner: String,
    name: String,
    rest: String,
    pushes: bool,
}

/// Whether this is git asking, and for what.
pub(crate) fn asked(path: &str, query: &str) -> Option<Asked> {
    let mut parts = path.trim_start_matches('/').splitn(3, '/');
    let (owner, name, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let services = ["info/refs", "git-upload-pack", "git-receive-pack"];
    let pushes = rest == "git-receive-pack" || query.contains("service=git-receive-pack");
    let name = name.strip_suffix(".git").unwrap_or(name).to_owned();
    services.contains(&rest).then(|| Asked { owner: owner.to_owned(), name, rest: rest.to_owned(), pushes })
}

/// What git is answered.
pub(crate) async fn serve(world: &Arc<Mutex<World>>, asked: &Asked, parts: &Parts, body: Vec<u8>) -> Response {
    let who = token(&parts.headers).and_then(|token| world.lock().whose(&token));
    let dir = match allowed(world, asked, who.as_ref(), parts) {
        Ok(dir) => dir,
        Err(refused) => return refused.into_http(),
    };
    let before = git::branches(&dir);
    let answered = backend(&dir, asked, parts, body).await;
    let by = who.map(|(login, _)| login).unwrap_or_default();
    let after = git::branches(&dir);
    let moved = after.iter().filter(|branch| !before.contains(branch)).map(|(name, _)| name);
    let gone = before.iter().map(|(name, _)| name).filter(|name| !after.iter().any(|(left, _)| left == *name));
    for name in moved.chain(gone) {
        let what = format!("PUSH /{}/{} {name}", asked.owner, asked.name);
        world.lock().writes.push(Write { what, by: by.clone() });
    }
    answered.unwrap_or_else(|error| Answer::error(500, &format!("{error:#}")).into_http())
}

/// The password of basic authentication, which is the token.
fn token(headers: &HeaderMap) -> Option<String> {
    let header = headers.get("authorization")?.to_str().ok()?;
    let encoded = header.strip_prefix("Basic ").or_else(|| header.strip_prefix("basic "))?;
    let text = String::from_utf8(BASE64.decode(encoded.trim().as_bytes()).ok()?).ok()?;
    text.split_once(':').map(|(_, token)| token.to_owned())
}

fn allowed(
    world: &Mutex<World>,
    asked: &Asked,
    who: Option<&(String, Scope)>,
    parts: &Parts,
) -> Result<PathBuf, Answer> {
    let ask = || Answer::error(401, "Authentication required").with("www-authenticate", "Basic realm=\"GitHub\"");
    let sent = parts.headers.contains_key("authorization");
    if sent && who.is_none() || asked.pushes && who.is_none() {
        return Err(ask());
    }
    if asked.pushes && who.is_some_and(|(_, scope)| *scope == Scope::Read) {
        return Err(Answer::error(403, "Write access to repository not granted."));
    }
    let mut world = world.lock();
    world.requests.push(format!("GIT {} /{}/{}", asked.rest, asked.owner, asked.name));
    match world.seen(&asked.owner, &asked.name, who.is_some()) {
        Some(repository) => Ok(repository.dir.clone()),
        // Nobody is told that a private one is there.
        None if who.is_none() => Err(ask()),
        None => Err(Answer::error(404, "Repository not found.")),
    }
}

async fn backend(dir: &std::path::Path, asked: &Asked, parts: &Parts, body: Vec<u8>) -> anyhow::Result<Response> {
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (root, name) = (dir.parent().context("a parent")?, dir.file_name().context("a name")?);
    let mut command = Command::new("git");
    command.arg("http-backend").env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1").env("GIT_CONFIG_NOSYSTEM", "1");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("REMOTE_USER", "fake").env("REMOTE_ADDR", "127.0.0.1");
    command.env("PATH_INFO", format!("/{}/{}", name.to_string_lossy(), asked.rest));
    command.env("REQUEST_METHOD", parts.method.as_str()).env("QUERY_STRING", parts.uri.query().unwrap_or_default());
    command.env("CONTENT_TYPE", header("content-type")).env("CONTENT_LENGTH", body.len().to_string());
    command.env("HTTP_CONTENT_ENCODING", header("content-encoding")).env("GIT_PROTOCOL", header("git-protocol"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().context("an input")?;
    let write = async move {
        // A backend that says no does not read to the end.
        let _ = stdin.write_all(&body).await;
    };
    let ((), output) = tokio::join!(write, child.wait_with_output());
    said(&output?.stdout)
}

/// From CGI to HTTP.
fn said(output: &[u8]) -> anyhow::Result<Response> {
    let split = |mark: &[u8]| output.windows(mark.len()).position(|part| part == mark).map(|at| (at, at + mark.len()));
    let (end, begin) = split(b"\r\n\r\n").or_else(|| split(b"\n\n")).context("git http-backend said nothing")?;
    let mut builder = Response::builder();
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        builder = match name {
            "Status" => builder.status(value.split(' ').next().unwrap_or("200").parse::<u16>()?),
            _ => builder.header(name, value),
        };
    }
    Ok(builder.body(Body::from(output[begin..].to_vec()))?)
}
