//! `hostel history`: the turns of an agent, one a line.

use std::process::ExitCode;

use crate::cli::HistoryArgs;
use crate::output::{self, Paint};
use crate::past::{Page, Turns, When};
use crate::place::Past;

pub(super) async fn run(args: &HistoryArgs) -> anyhow::Result<ExitCode> {
    let past = Past::of(&args.agent, &args.look.place)?;
    let limit = usize::try_from(args.limit)?;
    let answer = past.history(args.before, limit, args.changes).await?;
    if args.look.json {
        output::line(&answer.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    let page: Page = serde_json::from_value(answer)?;
    let turns = Turns { when: When::new(args.look.utc), paint: Paint::stdout() };
    for line in turns.lines(&page) {
        output::line(&line)?;
    }
    match page.next {
        Some(next) => output::note(&format!("… older: --before {next}"))?,
        None if page.turns.is_empty() => output::note(&format!("{} has no turns there.", past.who()))?,
        None => {}
    }
    Ok(ExitCode::SUCCESS)
}
