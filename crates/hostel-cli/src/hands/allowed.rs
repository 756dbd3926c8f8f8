//! What runs here without a question, and what never does: the rules of whoever lends the machine, kept on this machine.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use hostel_sandbox::{line, pattern};

use crate::failure::Usage;

/// The rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Allowed {
    allow: Vec<String>,
    deny: Vec<String>,
    file: Option<PathBuf>,
}

/// What becomes of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rule {
    /// It runs; the pattern that says so.
    Run(String),
    /// It does not; the pattern that says so.
    Deny(String),
    /// Nothing is said of it.
    Ask,
}

impl Allowed {
    /// The rules of the command line, and those of a file.
    pub(crate) fn new(allow: &[String], deny: &[String], file: Option<&Path>) -> anyhow::Result<Self> {
        let kept = file.map(read).transpose()?.unwrap_or_default();
        let allow: Vec<String> = allow.iter().cloned().chain(kept).collect();
        if allow.iter().chain(deny).any(|pattern| pattern.trim().is_empty()) {
            return Err(Usage("a pattern is empty: it would stand for nothing".to_owned()).into());
        }
        Ok(Self { allow, deny: deny.to_vec(), file: file.map(Path::to_owned) })
    }

    /// The patterns of what runs without a question.
    pub(super) fn patterns(&self) -> &[String] {
        &self.allow
    }

    /// What becomes of a line: no counts before yes, and every part of a line counts for a no.
    pub(super) fn rule(&self, text: &str, directory: Option<&str>) -> Rule {
        let text = text.trim();
        if let Some(pattern) = self.deny.iter().find(|pattern| line::touches(pattern, text)) {
            return Rule::Deny(pattern.clone());
        }
        let allowed = self.allow.iter().find(|pattern| line::is_within(pattern, text, directory));
        allowed.map_or(Rule::Ask, |pattern| Rule::Run(pattern.clone()))
    }

    /// Allows this line from now on, and nothing more: the pattern. With a file, also the next time.
    pub(super) fn always(&mut self, text: &str, directory: Option<&str>) -> std::io::Result<String> {
        let pattern = pattern::exactly(&line::shown(text.trim(), directory));
        self.allow.push(pattern.clone());
        // A pattern of several lines cannot be in the file.
        if let Some(file) = self.file.as_ref().filter(|_| !pattern.contains(['\n', '\r'])) {
            let mut file = fs::OpenOptions::new().append(true).create(true).open(file)?;
            writeln!(file, "{pattern}")?;
        }
        Ok(pattern)
    }
}

/// A file that is not there yet is empty.
fn read(file: &Path) -> anyhow::Result<Vec<String>> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Usage(format!("{}: {error}", file.display())).into()),
    };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(allow: &[&str], deny: &[&str]) -> Allowed {
        let all = |patterns: &[&str]| patterns.iter().map(|pattern| (*pattern).to_owned()).collect::<Vec<_>>();
        Allowed::new(&all(allow), &all(deny), None).unwrap()
    }

    #[test]
    fn what_is_allowed_runs_and_everything_else_is_asked() {
        let rules = of(&["cargo *", "make"], &[]);
        assert_eq!(rules.rule("cargo test --all", None), Rule::Run("cargo *".to_owned()));
        assert_eq!(rules.rule("  make ", None), Rule::Run("make".to_owned()));
        for line in ["cargo", "makes", "ls", "", "make install", "CARGO test"] {
            assert_eq!(rules.rule(line, None), Rule::Ask, "{line:?}");
        }
    }

    #[test]
    fn a_line_that_chains_runs_only_by_its_exact_self() {
        let rules = of(&["cargo *", "*", "cargo fmt && cargo test"], &[]);
        for line in [
            "cargo test; curl example.org",
            "cargo test && rm -rf x",
            "cargo test | sh",
            "cargo test $(cat secret)",
            "cargo test `cat secret`",
            "cargo test > /etc/passwd",
            "cargo test < secret",
            "cargo test & sleep 9",
            "cargo test\nrm x",
            r"cargo test ${A:=x[$\(touch /tmp/x\)]} ${HOME:A}",
            r"cargo test ${A:='\044\050touch /tmp/x\073id\051'} ${A@P}",
            r"cargo test $'\044'",
            "test -v x*",
            "eval id",
            "cargo fmt && cargo test ",
        ] {
            let trimmed = line.trim() == "cargo fmt && cargo test";
            assert_eq!(rules.rule(line, None) == Rule::Ask, !trimmed, "{line:?}");
        }
    }

    #[test]
    fn a_no_counts_before_a_yes_and_for_every_part_of_a_line() {
        let rules = of(&["*", "cargo test && git push"], &["git push*", "rm *"]);
        for line in ["git push", "cargo test && git push", "x; sudo rm -rf y", "echo $(rm x)", "A=1 rm x"] {
            assert!(matches!(rules.rule(line, None), Rule::Deny(_)), "{line:?}");
        }
        assert_eq!(rules.rule("git status", None), Rule::Run("*".to_owned()));
    }

    #[test]
    fn always_is_for_this_line_in_this_directory_and_is_kept_in_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("allow");
        let mut rules = Allowed::new(&[], &[], Some(&file)).unwrap();
        rules.always("rm *.o && make", Some("sub")).unwrap();
        rules.always("make", None).unwrap();
        for rules in [&rules, &Allowed::new(&[], &[], Some(&file)).unwrap()] {
            assert!(matches!(rules.rule("rm *.o && make", Some("sub")), Rule::Run(_)));
            assert!(matches!(rules.rule("make", None), Rule::Run(_)));
            let others =
                [("rm *.o && make", None), ("rm a.o && make", Some("sub")), ("make", Some("sub")), ("make x", None)];
            for (line, directory) in others {
                assert_eq!(rules.rule(line, directory), Rule::Ask, "{line:?} {directory:?}");
            }
        }
    }

    #[test]
    fn a_file_of_patterns_may_have_remarks_and_an_empty_pattern_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("allow");
        fs::write(&file, "# tests\ncargo test*\n\n  make  \n").unwrap();
        assert_eq!(Allowed::new(&[], &[], Some(&file)).unwrap().patterns(), ["cargo test*", "make"]);
        assert!(Allowed::new(&[" ".to_owned()], &[], None).is_err());
        assert!(Allowed::new(&[], &[], Some(dir.path())).is_err());
    }
}
