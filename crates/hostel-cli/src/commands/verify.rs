//! `hostel verify`: whether everything in a directory is as it was written.

use std::process::ExitCode;

use hostel_server::offline::{self, Verified, VerifyOptions};

use crate::cli::VerifyArgs;
use crate::output::{self, Paint, harmless};
use crate::place::refusable;
use crate::progress::{Progress, count, size};

pub(super) fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let mut progress = Progress::new();
    let options = VerifyOptions { longest: args.longest };
    let found =
        refusable(offline::verify(&args.dir, options, &mut |at| progress.step(at.doing, (at.done, at.of), at.bytes)))?;
    drop(progress);
    let good = found.problems.is_empty() && found.unfinished.is_empty();
    if args.json {
        output::line(&serde_json::to_string(&found)?)?;
    } else {
        for line in lines(&found, Paint::stdout()) {
            output::line(&line)?;
        }
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn lines(found: &Verified, paint: Paint) -> Vec<String> {
    let notes = found.notes.iter().map(|note| paint.dim(&clean(note)));
    let problems = found.problems.iter().flat_map(|problem| {
        let agent = problem.agent.as_ref().map_or_else(String::new, |agent| format!(" ({agent})"));
        let what = format!("✗ {}{agent}: {}", problem.path, problem.what);
        [paint.red(&clean(&what)), format!("  fix: {}", clean(&problem.remedy))]
    });
    let checked = format!(
        "{}, {} of the journal and {} of the history, {}",
        count(found.agents, "database"),
        count(found.journal_records, "record"),
        found.history_records,
        size(found.bytes)
    );
    let unfinished = found.unfinished.iter().map(|path| {
        paint.red(&clean(&format!(
            "? {path}: SQLite's check of it was not finished in time, nothing wrong was found so far"
        )))
    });
    let verdict = match found.problems.len() {
        0 if !found.unfinished.is_empty() => format!(
            "Nothing wrong was found in {checked}, but {} not checked to the end; give it more time with --longest.",
            match found.unfinished.len() {
                1 => "1 database was".to_owned(),
                several => format!("{several} databases were"),
            }
        ),
        0 => format!("{} Everything is as it was written: {checked}.", paint.green("✓")),
        problems => format!("{} found in {checked}.", count(problems as u64, "problem")),
    };
    notes.chain(problems).chain(unfinished).chain([verdict]).collect()
}

fn clean(text: &str) -> String {
    harmless(text).replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_comes_with_what_to_do_and_before_the_verdict() {
        let mut found =
            Verified { agents: 1, journal_records: 2, history_records: 3, bytes: 2048, ..Verified::default() };
        let checked = "1 database, 2 records of the journal and 3 of the history, 2.0 KiB.";
        assert_eq!(lines(&found, Paint::none()), [format!("✓ Everything is as it was written: {checked}")]);
        found.unfinished.push("agents/c/00/b.db".to_owned());
        let said = lines(&found, Paint::none());
        assert!(said[0].contains("agents/c/00/b.db") && said[0].contains("not finished"), "{said:?}");
        assert!(said[1].starts_with("Nothing wrong was found") && said[1].contains("--longest"), "{said:?}");
        found.unfinished.clear();
        found.notes.push("a note".to_owned());
        found.problems.push(offline::Problem {
            path: "agents/c/00/a.db".to_owned(),
            agent: Some("c/a".to_owned()),
            what: "it is damaged".to_owned(),
            remedy: "restore it".to_owned(),
        });
        let expect = [
            "a note".to_owned(),
            "✗ agents/c/00/a.db (c/a): it is damaged".to_owned(),
            "  fix: restore it".to_owned(),
            format!("1 problem found in {checked}"),
        ];
        assert_eq!(lines(&found, Paint::none()), expect);
    }
}
