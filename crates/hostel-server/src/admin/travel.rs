//! Agents that leave and arrive, over HTTP.

use std::path::Path as FilePath;

use hostel::{
    AgentId, BodyFault, BodyLimit, Code, Edge, Error,
    axum::{
        Json,
        body::Body,
        extract::{Extension, Path, State},
        response::{IntoResponse, Response},
    },
    body_fault,
    http::header,
};
use hostel_store::{AgentKey, Image};
use http_body_util::BodyExt as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    fs::File,
    io::AsyncWriteExt as _,
    sync::{Mutex, MutexGuard},
    task::spawn_blocking,
};

use super::{
    Asked, Data, Failed, Whose, agent, joined, known, malformed,
    past::OrNear as _,
    pipe::{Pipe, pipe},
    query,
};
use crate::{
    Refused,
    travel::{self, Arrived, Form, Luggage, Scratch},
};

const DURABLE_OBJECT: &str = "durable-object";

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    #[serde(default = "yes")]
    history: bool,
    #[serde(default = "yes")]
    files: bool,
    format: Option<String>,
}

fn yes() -> bool {
    true
}

/// Whether the format of ours is not meant.
fn is_durable_object(format: Option<&str>) -> Result<bool, Failed> {
    match format {
        None => Ok(false),
        Some(DURABLE_OBJECT) => Ok(true),
        Some(other) => Err(malformed(&format!("There is no format {other:?}; the other one is {DURABLE_OBJECT}."))),
    }
}

pub(super) async fn export(
    State(edge): State<Edge>,
    State(Data(data)): State<Data>,
    Path((namespace, name)): Whose,
    wanted: Asked<Wanted>,
) -> Result<Response, Failed> {
    let (id, wanted) = (agent(&edge, &namespace, &name)?, query(wanted)?);
    let (form, kind) = match is_durable_object(wanted.format.as_deref())? {
        true => (Form::DurableObject, "application/vnd.sqlite3"),
        false => (Form::Export { history: wanted.history, files: wanted.files }, "application/x-tar"),
    };
    let (store, key, kept) = (edge.node().store().clone(), key_of(&id), edge.node().options().belongings.clone());
    let (pipe, pieces) = pipe();
    let work = spawn_blocking(move || sent(pipe, |out| travel::send(&store, &key, form, &data, &kept, out)));
    match pieces.body().await {
        Some(body) => Ok(([(header::CONTENT_TYPE, kind)], body).into_response()),
        None => {
            let refused = work.await.map_err(|error| Error::msg(error.to_string()))?;
            let failed = refused.err().unwrap_or_else(|| Refused::new("internal", "Nothing was written.", "try again"));
            Err::<Response, _>(failed.into_error()).or_near(&edge, &id).await
        }
    }
}

/// Writes into the pipe and ends it according to how that went.
fn sent(mut pipe: Pipe, write: impl FnOnce(&mut Pipe) -> Result<(), Refused>) -> Result<(), Refused> {
    let written = write(&mut pipe);
    if let Err(refused) = &written {
        tracing::warn!(code = refused.code, "an export was not finished: {}", refused.message);
    }
    pipe.finish(written.is_ok());
    written
}

#[derive(Debug, Deserialize)]
pub(super) struct Landing {
    #[serde(rename = "as")]
    name: Option<String>,
    #[serde(default)]
    replace: bool,
    format: Option<String>,
}

pub(super) async fn import(
    State(edge): State<Edge>,
    State(Data(data)): State<Data>,
    limit: Option<Extension<BodyLimit>>,
    landing: Asked<Landing>,
    file: Body,
) -> Result<Json<Value>, Failed> {
    let landing = query(landing)?;
    let durable_object = is_durable_object(landing.format.as_deref())?;
    let name = landing.name.as_deref().map(|name| named(&edge, name)).transpose()?;
    // The file goes to the disk, not to memory; the disk says when it is too large.
    limit.inspect(|Extension(limit)| limit.lift());
    let scratch = Scratch::below(&data);
    spool(file, scratch.path()).await?;
    let (store, kept) = (edge.node().store().clone(), edge.node().options().belongings.clone());
    let read = spawn_blocking(move || {
        let mut arrived = travel::receive(&store, scratch.path(), name, durable_object)?;
        let luggage = arrived.unpack(&kept)?;
        Ok::<_, Refused>((arrived, luggage))
    });
    let (Arrived { class, name, image, history, .. }, luggage) = joined(read.await)?;
    let id = match AgentId::from_stored(&class, &name) {
        under if under.is_sub_agent() => under,
        _ => AgentId::new(&known(&edge, &class)?, &name),
    };
    let alone = LANDING.lock().await;
    if !landing.replace {
        // Before its files are touched: an agent that is there works in them.
        let (store, key) = (edge.node().store().clone(), key_of(&id));
        let free = spawn_blocking(move || travel::must_be_free(&store, &key)).await;
        let free = free.map_err(|error| Error::msg(error.to_string()))?;
        free.map_err(|refused| or_replace(taken(refused, &id), &id))?;
    }
    let replaced =
        land(&edge, &id, image, luggage, landing.replace, alone).await.map_err(|error| or_replace(error, &id))?;
    let (store, key) = (edge.node().store().clone(), key_of(&id));
    let turns = joined(spawn_blocking(move || travel::keep(&store, &key, history.as_ref())).await)?;
    Ok(Json(json!({"agent": address(&id), "turns": turns, "replaced": replaced})))
}

/// One agent comes at a time: two of one name would leave the files of one with the database of the other.
static LANDING: Mutex<()> = Mutex::const_new(());

/// Puts an agent and its files in their places. Whoever asked may go away meanwhile: both are done, or neither.
async fn land(
    edge: &Edge,
    id: &AgentId,
    mut image: Image,
    mut luggage: Luggage,
    replace: bool,
    alone: MutexGuard<'static, ()>,
) -> hostel::Result<Vec<String>> {
    let (node, id) = (edge.node().clone(), id.clone());
    let work = tokio::spawn(async move {
        let _alone = alone;
        let put = spawn_blocking(move || luggage.put(&mut image, replace).map(|()| (luggage, image)));
        let (luggage, image) = put.await?.map_err(Refused::into_error)?;
        match node.install(&id, image, "import", replace).await {
            Ok(_) => Ok(spawn_blocking(move || luggage.keep()).await?),
            Err(error) => {
                spawn_blocking(move || luggage.failed(node.store(), &key_of(&id))).await?;
                Err(error)
            }
        }
    });
    work.await?
}

/// An agent that is awake has its database open: it is there.
fn taken(refused: Refused, id: &AgentId) -> Error {
    if refused.code == Code::StorageLocked.as_str() {
        return Error::coded(Code::AgentExists, format!("There is an agent {id} already, and it is awake."));
    }
    refused.into_error()
}

fn key_of(id: &AgentId) -> AgentKey {
    let (namespace, name) = id.stored();
    AgentKey::new(namespace, name)
}

/// As people write it: of an agent at the top, class and name as they are.
fn address(id: &AgentId) -> String {
    if id.is_sub_agent() { id.to_string() } else { format!("{}/{}", id.namespace(), id.name()) }
}

/// An agent's address, with the class as it is known, as the two texts under which it is stored.
fn named(edge: &Edge, text: &str) -> Result<(String, String), Failed> {
    let parts = text.split_once('/').filter(|(class, name)| !class.is_empty() && !name.is_empty());
    let (class, name) = parts.ok_or_else(|| malformed(&format!("{text:?} is no agent: write {text}/default.")))?;
    let id = super::agent(edge, class, name)?;
    let (namespace, name) = id.stored();
    Ok((namespace.to_owned(), name.to_owned()))
}

fn or_replace(error: Error, id: &AgentId) -> Error {
    match error.code() {
        Some(Code::AgentExists) => error.with_fix(format!(
            "import it under another name (--as {}/NAME), or say --replace; the agent that is there stays in its history",
            id.namespace()
        )),
        _ => error,
    }
}

/// Writes a body to a file.
async fn spool(mut body: Body, path: &FilePath) -> Result<(), Failed> {
    let failed = |error| Failed(Refused::io("The file could not be stored", &error).into_error());
    let mut file = File::create_new(path).await.map_err(failed)?;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(&error))?;
        if let Ok(bytes) = frame.into_data() {
            file.write_all(&bytes).await.map_err(failed)?;
        }
    }
    file.flush().await.map_err(failed)
}

fn broken(error: &hostel::axum::Error) -> Failed {
    match body_fault(error) {
        Some(BodyFault::Refused(fault)) => Failed(Error::coded(fault.code(), fault.to_string())),
        _ => malformed("The file broke off before its end."),
    }
}
