//! `hostel restore`: shows what would change, asks, and goes back.

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use crate::cli::RestoreArgs;
use crate::failure::{Told, Usage};
use crate::output::{self, Paint};
use crate::past::{Delta, Difference, Page, Point, When};
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
    let (at, undo) = match args.yes {
        true if is_now(&args.at) => (args.at.clone(), None),
        true => (args.at.clone(), newest(&past).await),
        false => match asked(&past, &args.at, &delta).await? {
            // The present is not a turn that could be gone back to, where it is the first to be kept whole.
            Some(_) if is_now(&args.at) => (args.at.clone(), None),
            Some((at, now)) => (at.to_string(), now),
            None => return Err(Told.into()),
        },
    };
    let point: Point = serde_json::from_value(past.restore(&at).await?)?;
    output::line(&format!("{} is as it was at {}.", past.who(), delta.point(point)))?;
    if let Some(undo) = undo {
        output::note(&format!("undo: hostel restore {} --at {undo}", past.who()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn is_now(at: &str) -> bool {
    at.trim().eq_ignore_ascii_case("now")
}

/// The last turn, to go back to, if there is one. An agent in trouble is restored although nobody can say.
async fn newest(past: &Past) -> Option<i64> {
    let page: Page = serde_json::from_value(past.history(None, 1, false).await.ok()?).ok()?;
    page.turns.first().filter(|turn| !turn.ended).map(|turn| turn.turn)
}

/// Shows what would change and asks. The moment meant, by its number, and the last turn until now: `10m ago` would be
/// another moment after the answer.
async fn asked(past: &Past, at: &str, delta: &Delta) -> anyhow::Result<Option<(i64, Option<i64>)>> {
    let (then, now) = match past.difference("now", at, ROWS).await {
        Ok(difference) => {
            let difference: Difference = serde_json::from_value(difference)?;
            show(past, delta, &difference)?;
            (difference.to.turn, Some(difference.from.turn))
        }
        // Such as one that was destroyed. If the moment is what is wrong, this says so.
        Err(reason) => {
            let there: Difference = serde_json::from_value(past.difference(at, at, 0).await?)?;
            let (who, then) = (past.who(), delta.point(there.to));
            output::line(&format!("{who} would be as it was at {then}. It cannot be compared: {reason}"))?;
            (there.to.turn, newest(past).await)
        }
    };
    if agreed()? {
        return Ok(Some((then, now)));
    }
    output::note("Nothing was done.")?;
    Ok(None)
}

const LOOK: &str = "`hostel diff AGENT now..MOMENT` if you want to see what it would change";

fn show(past: &Past, delta: &Delta, difference: &Difference) -> anyhow::Result<()> {
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
