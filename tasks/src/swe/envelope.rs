//! A unified diff as a patch that the agent's tool takes.

use anyhow::{Result, bail};

/// The same in the envelope form. Pictures and the like cannot be said in it.
pub(super) fn of(diff: &str) -> Result<String> {
    let mut out = String::from("*** Begin Patch\n");
    let (mut old, mut is_hunk) = ("", false);
    for line in diff.lines() {
        if line.starts_with("diff --git ") {
            is_hunk = false;
        } else if line.starts_with("GIT binary patch") || line.starts_with("Binary files ") {
            bail!("the solution changes a file that is not text");
        } else if let Some(path) = line.strip_prefix("--- ").filter(|_| !is_hunk) {
            old = path;
        } else if let Some(new) = line.strip_prefix("+++ ").filter(|_| !is_hunk) {
            out.push_str(&head(old, new));
        } else if line.starts_with("@@ ") {
            if old != "/dev/null" {
                out.push_str("@@\n");
            }
            is_hunk = true;
        } else if is_hunk && !line.starts_with('\\') {
            out.push_str(line);
            out.push('\n');
        }
    }
    out.push_str("*** End Patch\n");
    Ok(out)
}

fn head(old: &str, new: &str) -> String {
    let plain = |path: &str| path.split('\t').next().unwrap_or(path).get(2..).unwrap_or_default().to_owned();
    match (old, new) {
        ("/dev/null", new) => format!("*** Add File: {}\n", plain(new)),
        (old, "/dev/null") => format!("*** Delete File: {}\n", plain(old)),
        (_, new) => format!("*** Update File: {}\n", plain(new)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_and_new_files_are_told_in_the_other_form() {
        let diff = "diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@ fn\n one\n-two\n+--- three\n\
                    diff --git a/y b/y\nnew file mode 100644\n--- /dev/null\n+++ b/y\n@@ -0,0 +1 @@\n+new\n";
        let expected =
            "*** Begin Patch\n*** Update File: x\n@@\n one\n-two\n+--- three\n*** Add File: y\n+new\n*** End Patch\n";
        assert_eq!(of(diff).unwrap(), expected);
        assert!(of("Binary files a/p.png and b/p.png differ\n").is_err());
    }
}
