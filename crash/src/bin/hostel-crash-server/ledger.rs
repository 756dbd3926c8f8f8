//! An agent that writes down everything it is asked to, thrice: in its state and in two tables. If a turn is whole, the
//! three agree.

use hostel::prelude::*;

/// What clients see of it.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct LedgerAgent {
    /// The first entry of this life; the agent may be destroyed and begin again under the same name.
    born: String,
    /// How many entries there are.
    count: i64,
    /// The newest.
    last: String,
}

/// What an entry has become.
#[derive(Serialize)]
struct Entered {
    born: String,
    count: i64,
}

/// Everything about the agent, for the comparison.
#[derive(Serialize)]
struct Look {
    born: String,
    count: i64,
    last: String,
    /// Rows of the two tables, and how many of them are the same in both.
    entries: i64,
    copies: i64,
    same: i64,
    /// What SQLite says of the file.
    sound: String,
    /// The entries after the one asked for.
    from: i64,
    after: Vec<String>,
}

#[agent]
impl LedgerAgent {
    fn on_start(&mut self, cx: &Cx<Self>) -> Result<()> {
        cx.sql("create table if not exists entries (n integer primary key, op text not null unique)", ())?;
        cx.sql("create table if not exists copies (n integer primary key, op text not null, filler text)", ())?;
        Ok(())
    }

    /// One turn that touches everything; `filler` bytes make it larger.
    #[callable]
    fn add(&mut self, cx: &Cx<Self>, op: String, filler: usize) -> Result<Entered> {
        self.enter(cx, op, filler)
    }

    /// The same from a future beside the turns.
    #[callable]
    async fn add_later(cx: &Cx<Self>, op: String, filler: usize) -> Result<Entered> {
        cx.sleep(std::time::Duration::from_millis(1)).await;
        cx.try_update(|me| me.enter(cx, op, filler))
    }

    /// The end of this life.
    #[callable]
    fn end(&mut self, cx: &Cx<Self>) -> String {
        cx.destroy();
        self.born.clone()
    }

    /// Everything, and the entries of the life `born` after the `from`th.
    #[callable]
    fn look(&self, cx: &Cx<Self>, born: &str, from: i64) -> Result<Look> {
        let number = |query: &str| -> Result<i64> { Ok(cx.sql(query, ())?.value()?.unwrap_or(0)) };
        let from = if born == self.born { from } else { 0 };
        let rows = cx.sql("select op from entries where n > ? order by n", (from,))?;
        Ok(Look {
            born: self.born.clone(),
            count: self.count,
            last: self.last.clone(),
            entries: number("select coalesce(max(n), 0) + count(*) from entries")? / 2,
            copies: number("select coalesce(max(n), 0) + count(*) from copies")? / 2,
            same: number("select count(*) from entries join copies using (n, op)")?,
            sound: cx.sql("pragma integrity_check", ())?.value()?.unwrap_or_default(),
            from,
            after: rows.iter().map(|row| row.get("op")).collect::<Result<_>>()?,
        })
    }
}

impl LedgerAgent {
    fn enter(&mut self, cx: &Cx<Self>, op: String, filler: usize) -> Result<Entered> {
        if self.count == 0 {
            self.born.clone_from(&op);
        }
        self.count += 1;
        cx.sql("insert into entries (n, op) values (?, ?)", (self.count, &op))?;
        cx.sql("insert into copies (n, op, filler) values (?, ?, ?)", (self.count, &op, "x".repeat(filler)))?;
        self.last = op;
        Ok(Entered { born: self.born.clone(), count: self.count })
    }
}
