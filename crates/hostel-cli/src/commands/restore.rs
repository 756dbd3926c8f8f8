//! `hostel restore`: shows what would change, asks, and goes back.

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use serde_json::Value;

use crate::cli::RestoreArgs;
use crate::failure::{Told, Usage};
use crate::output::{self, Paint};
use crate::past::{Delta, Difference, Point, When};
use crate::place::Past;

/// Rows of each table that are shown before the question.
const ROWS: usize = 10;

pub(super) async fn run(args: &RestoreArgs) -> anyhow::Result<ExitCode> {
    if !args.yes && !std::io::stdin().is_terminal() {
        return Err(
            Usage(format!("restore asks first, and there is no terminal to ask on; say --yes, after {LOOK}")).into()
        );
    }
    let past = Past::of(&args.agent, &args.place)?;
    if args.json {
        output::line(&past.restore(&args.at).await?.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    let delta = Delta { when: When::new(args.utc), paint: Paint::stdout() };
    let difference: Difference = serde_json::from_value(past.difference("now", &args.at, ROWS).await?)?;
    if !args.yes {
        show(&past, &delta, &difference)?;
        // Asked for by its number: `10m ago` would be another moment after the answer.
        if !agreed()? {
            output::note("Nothing was done.")?;
            return Err(Told.into());
        }
    }
    let restored: Value = past.restore(&difference.to.turn.to_string()).await?;
    let point: Point = serde_json::from_value(restored)?;
    let undo = difference.from.turn;
    output::line(&format!("{} is as it was at {}.", past.who(), delta.point(point)))?;
    output::note(&format!("undo: hostel restore {} --at {undo}", past.who()))?;
    Ok(ExitCode::SUCCESS)
}

const LOOK: &str = "`hostel diff AGENT now..MOMENT` if you want to see what it would change";

fn show(past: &Past<'_>, delta: &Delta, difference: &Difference) -> anyhow::Result<()> {
    let (now, then) = (delta.point(difference.from), delta.point(difference.to));
    output::line(&format!("{} would go back from {now} to {then}:", past.who()))?;
    for line in delta.lines(difference) {
        output::line(&line)?;
    }
    Ok(())
}

fn agreed() -> anyhow::Result<bool> {
    output::ask("Restore? [y/N] ")?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
