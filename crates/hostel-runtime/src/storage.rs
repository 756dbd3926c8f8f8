//! The store's errors as the agent's.

use hostel_core::Error;
use hostel_protocol::refusal::Code;

/// The store's error as the agent's, code and chain kept.
pub(crate) fn error(error: hostel_store::Error) -> Error {
    let code = error.code().parse().unwrap_or(Code::StorageFailed);
    let message = error.to_string();
    let error = Error::coded(code, message).with_source(error);
    match hint(code) {
        Some(fix) => error.with_fix(fix),
        None => error,
    }
}

/// What to do about a refusal, where the sentence cannot know how it was asked.
fn hint(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::HistoryGone => "choose a later moment; `hostel history AGENT` lists those that are kept",
        Code::HistoryOff => "set history_age and history_bytes for its class; history begins with the next turn",
        Code::MomentInvalid => "say now, #17 (a turn of `hostel history AGENT`), 2026-11-22T14:05:00Z, or 10m ago",
        Code::AgentNotFound => "`hostel agents CLASS` lists the agents that exist",
        Code::AgentExists => "choose another name",
        Code::StorageCorrupt => {
            "put it back to its last kept moment with `hostel restore AGENT --at now`, or see its page"
        }
        Code::ExportInvalid => "copy or export it again, and import the whole file",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use hostel_store::ErrorKind as K;

    use super::*;

    #[test]
    fn what_the_store_refuses_has_a_code_that_everybody_knows() {
        let kinds = [
            K::Corrupt,
            K::Full,
            K::ReadOnly,
            K::Failed,
            K::Schema,
            K::Locked,
            K::Sql,
            K::Timeout,
            K::NameTooLong,
            K::NameInvalid,
            K::NotFound,
            K::Exists,
            K::HistoryGone,
            K::HistoryOff,
            K::MomentInvalid,
            K::ExportInvalid,
        ];
        for kind in kinds {
            assert_eq!(kind.code().parse::<Code>().map(Code::as_str), Ok(kind.code()));
        }
    }
}
