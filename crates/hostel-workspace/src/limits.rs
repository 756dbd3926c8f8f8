//! How much is too much: of a file, an answer, a workspace.

/// Bounds of what is read, answered and written. Every operation has one, so that none can fill memory or a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a file that is edited or written as a whole.
    pub file_bytes: u64,
    /// Bytes of text in one answer of reading or searching.
    pub answer_bytes: usize,
    /// Lines in one answer of reading.
    pub answer_lines: usize,
    /// Characters of a line; what is longer is cut, and says so.
    pub line_chars: usize,
    /// Entries in one answer of listing.
    pub entries: usize,
    /// Files and directories that a search, a listing or a count looks at.
    pub visited: usize,
    /// Matches in one answer of a search.
    pub matches: usize,
    /// Files in one plan.
    pub plan_files: usize,
    /// Bytes of everything in the workspace, git's objects included, as [`Workspace::check_size`](crate::Workspace::check_size) finds them.
    pub workspace_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 16 << 20,
            answer_bytes: 256 << 10,
            answer_lines: 2_000,
            line_chars: 2_000,
            entries: 2_000,
            visited: 500_000,
            matches: 500,
            plan_files: 500,
            workspace_bytes: 4 << 30,
        }
    }
}
