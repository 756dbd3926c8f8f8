//! A notebook: private rows, a veto, a streaming method and plain HTTP. `cargo run -p hostel --example notes`, then
//! `curl localhost:8787/agents/notebook/mine`.

use std::time::Duration;

use hostel::{http, prelude::*};

/// What clients see of a notebook. The notes themselves are rows that they ask for.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
struct Notebook {
    title: String,
    notes: u32,
}

/// One note.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Note {
    id: i64,
    text: String,
}

#[agent]
impl Notebook {
    fn on_start(&mut self, cx: &Cx<Self>) -> Result<()> {
        cx.sql("create table if not exists notes (id integer primary key, text text not null)", ())?;
        Ok(())
    }

    /// Writes a note. Row, count and the frame that tells everybody stay together: all of them, or none.
    #[callable]
    fn write(&mut self, cx: &Cx<Self>, text: &str) -> Result<u32> {
        cx.sql("insert into notes (text) values (?)", (text,))?;
        self.notes += 1;
        Ok(self.notes)
    }

    /// Reads the notes aloud, one a second. It goes on while others write.
    #[callable(streaming, cancel_on_disconnect)]
    async fn read_aloud(cx: &Cx<Self>, stream: Stream<Note>) -> Result<()> {
        for note in cx.sql("select id, text from notes order by id", ())?.read::<Note>()? {
            stream.send(&note)?;
            cx.sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    }

    /// Clients may set the title, but not the count.
    fn validate_state_change(&self, cx: &Cx<Self>, source: &Source) -> Result<()> {
        let rows: u32 = cx.sql("select count(*) from notes", ())?.value()?.unwrap_or(0);
        match source {
            Source::Client(_) if rows != self.notes => Err(Error::msg("the count follows from the notes")),
            _ => Ok(()),
        }
    }

    fn on_request(&self, cx: &Cx<Self>, request: &Request) -> Result<Response> {
        if request.method() != http::Method::GET {
            return Ok(http::Response::builder().status(405).body(Body::empty())?);
        }
        let notes = cx.sql("select id, text from notes order by id", ())?.read::<Note>()?;
        Ok(Response::new(Body::from(hostel::serde_json::to_string(&notes)?)))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    Ok(App::new().agent::<Notebook>().serve("127.0.0.1:8787").await?)
}
