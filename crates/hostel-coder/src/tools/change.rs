//! Changing files: planned, written down with what each is before and after, made, and after a crash brought to an end.

use hostel::{Error, Result};
use hostel_workspace::{Digest, Plan, Progress, Trace, Workspace};
use serde_json::{Value, json};

use super::{Call, within};
use crate::{
    ledger::{self, Found},
    workspaces::said,
};

/// The step of a call that changes files.
pub(super) const STEP: &str = "edit";

/// Plans a change, makes it once, and answers what became different.
pub(super) async fn change<F>(cx: &Call, plan: F) -> Result<Value>
where
    F: FnOnce(&Workspace) -> hostel_workspace::Result<Plan> + Send + 'static,
{
    let mark = ledger::mark(cx, STEP);
    let plan = async {
        let plan = within(cx, move |workspace| plan(workspace).map_err(said)).await?;
        cx.check_preview(&plan.fingerprint().to_string())?;
        let answer = json!({"changed": plan.summary().trim_end(), "diff": plan.diff()});
        let files: Vec<Value> = plan.traces().iter().map(written).collect();
        Ok((json!({"files": files, "answer": answer}), (plan, answer)))
    };
    let of_plan = mark.clone();
    let make = |(plan, answer): (Plan, Value)| {
        within(cx, move |workspace| {
            workspace.apply_as(&plan, &of_plan).map_err(said)?;
            Ok(answer)
        })
    };
    let check = |about: Value| within(cx, move |workspace| found(workspace, about, &mark));
    ledger::planned(cx, STEP, plan, make, check).await
}

/// What became of a change: one that was begun is brought to its end.
fn found(workspace: &Workspace, mut about: Value, mark: &str) -> Result<Found> {
    let files = about["files"].as_array().map(Vec::as_slice).unwrap_or_default();
    let traces = files.iter().map(trace).collect::<Result<Vec<_>>>()?;
    let names = || traces.iter().map(|trace| trace.path.as_str()).collect::<Vec<_>>().join(", ");
    Ok(match workspace.finish(&traces, mark) {
        Ok(Progress::Made) => Found::Done(about["answer"].take()),
        Ok(Progress::NotMade) => Found::NotDone,
        Ok(Progress::Partly) => Found::Unknown(format!("Only some of these files are as they should be: {}.", names())),
        Ok(Progress::Otherwise) => {
            Found::Unknown(format!("Of these files one is neither as before nor as it should be: {}.", names()))
        }
        Err(error) => Found::Unknown(format!("Of these files one cannot be read: {} ({error}).", names())),
    })
}

fn written(trace: &Trace) -> Value {
    let text = |digest: Option<Digest>| digest.map(|digest| digest.to_string());
    json!({"path": trace.path, "before": text(trace.before), "after": text(trace.after)})
}

fn trace(written: &Value) -> Result<Trace> {
    let damaged = || Error::msg("An entry of the ledger is not as it was written.");
    let digest = |name: &str| match &written[name] {
        Value::String(hex) => Digest::parse(hex).map(Some).ok_or_else(damaged),
        _ => Ok(None),
    };
    let path = written["path"].as_str().ok_or_else(damaged)?.to_owned();
    Ok(Trace { path, before: digest("before")?, after: digest("after")? })
}
