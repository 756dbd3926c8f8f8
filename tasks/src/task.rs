//! A task of the set: one file with a head, the files of a repository, hidden tests, and a solution.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail, ensure};

/// A task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Task {
    /// What the file is called.
    pub name: String,
    /// What it is about.
    pub title: String,
    /// The programs that its tests need.
    pub needs: Vec<String>,
    /// The command that decides, run at the top of the repository.
    pub test: String,
    /// What the agent is asked.
    pub prompt: String,
    /// The files of the repository.
    pub repo: Vec<(String, String)>,
    /// The files that are put there for the tests, and that the agent never sees.
    pub hidden: Vec<(String, String)>,
    /// A patch that solves it, for the scripted model.
    pub solution: String,
}

impl Task {
    /// All tasks of a directory, by their names.
    ///
    /// # Errors
    /// A file that cannot be read, with its name.
    pub fn all(dir: &Path) -> Result<Vec<Self>> {
        let entries = fs::read_dir(dir).with_context(|| format!("{} cannot be read", dir.display()))?;
        let mut tasks = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "task") {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                let text = fs::read_to_string(&path)?;
                tasks.push(Self::parse(&name, &text).with_context(|| path.display().to_string())?);
            }
        }
        tasks.sort_by(|one, two| one.name.cmp(&two.name));
        Ok(tasks)
    }

    /// Reads one.
    ///
    /// # Errors
    /// What is missing, or is in the wrong place.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let mut task = Self { name: name.to_owned(), ..Self::default() };
        let (head, files) = sections(text);
        task.head(&head)?;
        for (file, content) in files {
            match file.split_once('/') {
                Some(("repo", path)) => task.repo.push((path.to_owned(), content)),
                Some(("hidden", _)) => task.hidden.push((file, content)),
                _ if file == "solution" => task.solution = content,
                _ => bail!("{file:?} belongs neither to repo/ nor to hidden/, and is no solution"),
            }
        }
        ensure!(!task.test.is_empty() && !task.prompt.is_empty(), "it needs test: and prompt:");
        ensure!(!task.repo.is_empty() && !task.hidden.is_empty(), "it needs files in repo/ and in hidden/");
        Ok(task)
    }

    fn head(&mut self, head: &str) -> Result<()> {
        let mut lines = head.lines();
        for line in lines.by_ref() {
            let (key, value) = line.split_once(':').with_context(|| format!("{line:?} is no `key: value`"))?;
            let value = value.trim();
            match key {
                "title" => self.title = value.to_owned(),
                "needs" => self.needs = value.split_whitespace().map(str::to_owned).collect(),
                "test" => self.test = value.to_owned(),
                "prompt" => break,
                _ => bail!("there is no key {key:?}"),
            }
        }
        self.prompt = lines.collect::<Vec<_>>().join("\n");
        Ok(())
    }
}

/// The head, and the files behind lines such as `-- name --`.
fn sections(text: &str) -> (String, Vec<(String, String)>) {
    let (mut head, mut files): (String, Vec<(String, String)>) = (String::new(), Vec::new());
    for line in text.split_inclusive('\n') {
        let name = line.trim_end().strip_prefix("-- ").and_then(|rest| rest.strip_suffix(" --"));
        match (name, files.last_mut()) {
            (Some(name), _) => files.push((name.to_owned(), String::new())),
            (None, Some((_, content))) => content.push_str(line),
            (None, None) => head.push_str(line),
        }
    }
    (head, files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_a_head_and_files() {
        let text = "title: T\nneeds: sh awk\ntest: sh hidden/t.sh\nprompt:\nDo it.\nAnd well.\n-- repo/a/b --\nx\n-- hidden/t.sh --\ny\n\
                    -- solution --\n*** Begin Patch\n";
        let task = Task::parse("t", text).unwrap();
        assert_eq!(task.prompt, "Do it.\nAnd well.");
        assert_eq!(task.repo, [("a/b".to_owned(), "x\n".to_owned())]);
        assert_eq!(task.hidden, [("hidden/t.sh".to_owned(), "y\n".to_owned())]);
        assert_eq!((task.needs.len(), task.solution.as_str()), (2, "*** Begin Patch\n"));
        for (wrong, why) in [("what", "no `key: value`"), ("test: x\nprompt:\nx\n", "repo/"), ("size: 3", "no key")] {
            assert!(Task::parse("t", wrong).unwrap_err().to_string().contains(why), "{wrong}");
        }
    }
}
