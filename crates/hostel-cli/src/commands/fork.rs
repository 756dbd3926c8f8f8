//! `hostel fork`: a new agent out of a moment of another.

use std::process::ExitCode;

use crate::cli::ForkArgs;
use crate::output::{self, Paint};
use crate::past::{Delta, Point, When};
use crate::place::Past;

pub(super) async fn run(args: &ForkArgs) -> anyhow::Result<ExitCode> {
    let past = Past::of(&args.agent, &args.look.place)?;
    let answer = past.fork(&args.name, &args.at).await?;
    if args.look.json {
        output::line(&answer.to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    let point: Point = serde_json::from_value(answer)?;
    let delta = Delta { when: When::new(args.look.utc), paint: Paint::stdout() };
    let who = past.who();
    output::line(&format!("{}/{} is a copy of {who} at {}.", who.class, args.name, delta.point(point)))?;
    Ok(ExitCode::SUCCESS)
}
