//! From where may be cloned.

use hostel::{Error, Result};
use url::Url;

use super::Workspaces;

/// From where may be cloned if nobody says.
pub(super) const HOSTS: [&str; 4] = ["github.com", "gitlab.com", "codeberg.org", "bitbucket.org"];

impl Workspaces {
    /// Refuses what may not be cloned. Directories of this machine are for git to refuse, which has the list of those that may.
    pub(crate) fn check_address(&self, url: &str) -> Result<()> {
        if self.github.is_there(url) {
            return Ok(());
        }
        if is_local(url) {
            return Ok(());
        }
        // Read the way git's own check reads it, which mends what is only nearly an address.
        let parsed = Url::parse(url).ok();
        let is_plain = |url: &Url| url.port().is_none() && url.username().is_empty() && url.password().is_none();
        let host = parsed.as_ref().filter(|url| is_plain(url)).and_then(Url::host_str);
        if host.is_some_and(|host| self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host))) {
            return Ok(());
        }
        let shown: String = url.chars().filter(|c| !c.is_control()).take(100).collect();
        let hosts = self.hosts.join(", ");
        Err(Error::msg(format!("Nothing may be cloned from {shown:?}.")).with_fix(format!("allowed are: {hosts}")))
    }
}

/// Whether git takes it for a directory of this machine.
fn is_local(url: &str) -> bool {
    url.starts_with("file://") || url.starts_with('/')
}

/// The address of a repository as git is given it, so that a rule is not got around by another way to write it; nothing if it is
/// none.
pub(crate) fn normal_address(url: &str) -> Option<String> {
    if is_local(url) {
        return (!url.split('/').any(|part| matches!(part, "." | ".."))).then(|| url.to_owned());
    }
    Url::parse(url).ok().filter(Url::has_host).map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_that_are_allowed_are_cloned_from() {
        let workspaces = Workspaces::new("/w");
        for url in ["https://github.com/a/b", "https://GitHub.com/a/b.git", "/srv/repo"] {
            assert!(workspaces.check_address(url).is_ok(), "{url}");
        }
        for url in [
            "https://localhost/a",
            "https://169.254.169.254/latest",
            "https://github.com:8080/a",
            "https://github.com@evil.example/a",
            "https://user:word@github.com/a",
            "https://github.com.evil.example/a",
            "https://evil.example\\@github.com/a",
            "HTTPS://169.254.169.254/x",
            " https://localhost/x",
            "https:localhost/x",
            "https:\\\\localhost/x",
            "http://localhost/x",
            "ssh://localhost/x",
        ] {
            assert!(workspaces.check_address(url).is_err(), "{url}");
        }
    }
}
