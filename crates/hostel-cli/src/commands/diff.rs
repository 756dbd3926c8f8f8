//! `hostel diff`: what changed between two moments.

use std::process::ExitCode;

use crate::cli::DiffArgs;
use crate::output::{self, Paint};
use crate::past::{Delta, Difference, When};
use crate::place::Past;

pub(super) async fn run(args: &DiffArgs) -> anyhow::Result<ExitCode> {
    let past = Past::of(&args.agent, &args.look.place)?;
    let rows = usize::try_from(args.rows)?;
    let answer = past.difference(&args.range.from, &args.range.to, rows).await?;
    if args.look.json {
        output::line(&answer.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    let difference: Difference = serde_json::from_value(answer)?;
    let delta = Delta { when: When::new(args.look.utc), paint: Paint::stdout() };
    let ends = [difference.from, difference.to].map(|point| delta.point(point));
    output::line(&ends.join(" → "))?;
    for line in delta.lines(&difference) {
        output::line(&line)?;
    }
    Ok(ExitCode::SUCCESS)
}
