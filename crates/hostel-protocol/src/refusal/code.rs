//! The stable codes and what each means on HTTP and on a socket.

use std::fmt;
use std::str::FromStr;

/// One row per code: variant, wire name, HTTP status, close code, seconds
/// after which a retry makes sense, title.
macro_rules! codes {
    ($($variant:ident $name:literal $http:literal $close:literal $retry:expr, $title:literal;)*) => {
        /// A stable reason code. Its page is `docs/errors/<code>.md`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = concat!("`", $name, "`: ", $title, ".")] $variant,)*
        }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as it stands on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The HTTP status it is answered with.
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$variant => $http,)* }
            }

            /// The close code for a socket that has to go because of it.
            #[must_use]
            pub const fn close_code(self) -> u16 {
                match self { $(Self::$variant => $close,)* }
            }

            /// For `Retry-After`; `None` where waiting does not help.
            #[must_use]
            pub const fn retry_after_secs(self) -> Option<u32> {
                match self { $(Self::$variant => $retry,)* }
            }

            /// A short title, the same for every occurrence.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// Where its page is, from the root of the repository.
            #[must_use]
            pub const fn docs(self) -> &'static str {
                match self { $(Self::$variant => concat!("docs/errors/", $name, ".md"),)* }
            }
        }
    };
}

codes! {
    UnknownAgent "unknown_agent" 400 4404 None, "No agent class has this name";
    MissingName "missing_name" 404 4404 None, "The path names an agent but no instance";
    NoRoute "no_route" 404 4404 None, "Nothing is served at this path";
    NameTooLong "name_too_long" 414 4414 None, "The instance name is too long";
    OriginRefused "origin_refused" 403 4403 None, "Requests from this origin are not allowed";
    HostRefused "host_refused" 403 4403 None, "This host name is not served here";
    NamespaceMismatch "namespace_mismatch" 400 4400 None, "The client expects another routing prefix";
    UpgradeStripped "upgrade_stripped" 426 4426 None, "The Upgrade header was lost on the way";
    BadUpgrade "bad_upgrade" 400 4400 None, "The WebSocket handshake is malformed";
    MissingNamespaceOrRoom "missing_namespace_or_room" 400 4400 None, "The agent was reached without the router";
    AgentUnavailable "agent_unavailable" 503 1013 Some(2), "The agent is unavailable for now";
    AgentQuarantined "agent_quarantined" 503 1013 Some(30), "The agent crashed too often and is paused";
    AgentStartFailed "agent_start_failed" 503 1013 Some(5), "The agent failed to start";
    StorageCorrupt "storage_corrupt" 503 1013 Some(60), "The agent's database is damaged";
    StorageFull "storage_full" 503 1013 Some(30), "The disk is full";
    StorageReadOnly "storage_read_only" 503 1013 Some(30), "The disk cannot be written";
    StorageFailed "storage_failed" 503 1013 Some(10), "The storage failed";
    StorageSchema "storage_schema" 503 1013 Some(60), "The agent's data has another schema version";
    ConnectFailed "connect_failed" 500 1011 None, "The agent failed while accepting the connection";
    RequestFailed "request_failed" 500 1011 None, "The agent failed while answering the request";
    TooManyConnections "too_many_connections" 503 1013 Some(5), "Too many connections";
    ShuttingDown "shutting_down" 503 1012 Some(2), "The server is restarting";
    SlowConsumer "slow_consumer" 503 1013 Some(1), "The client reads too slowly";
    MessageTooBig "message_too_big" 413 1009 None, "The message is too big";
    BodyTooLarge "body_too_large" 413 1009 None, "The request body is too large";
    HeadersTooLarge "headers_too_large" 431 1009 None, "The request headers are too large";
    MalformedRequest "malformed_request" 400 4400 None, "The request is not well-formed HTTP";
    HeaderTimeout "header_timeout" 408 4408 None, "The request head came too slowly";
    BodyTooSlow "body_too_slow" 408 4408 None, "The request body came too slowly";
    PlainOnTlsPort "plain_on_tls_port" 400 4400 None, "Plain HTTP came to a port that speaks TLS";
    TlsOnPlainPort "tls_on_plain_port" 400 4400 None, "TLS came to a port that speaks plain HTTP";
    TooManyCalls "too_many_calls" 429 1013 Some(1), "Too many calls in flight";
    UnknownFrame "unknown_frame" 400 4400 None, "The message is no frame of the protocol";
    MalformedFrame "malformed_frame" 400 4400 None, "A field of the frame is missing or of the wrong type";
    ForeignDialect "foreign_dialect" 400 4400 None, "The frame belongs to another protocol";
    JsonTooDeep "json_too_deep" 400 4400 None, "The JSON text is too deep or has too many values";
    ChatNotAvailable "chat_not_available" 501 4400 None, "Chat is not available";
    MethodNotFound "method_not_found" 404 4404 None, "The agent has no such method";
    MethodNotCallable "method_not_callable" 403 4403 None, "The method may not be called by clients";
    InvalidArguments "invalid_arguments" 400 4400 None, "The arguments do not fit the method";
    StateRejected "state_rejected" 400 4400 None, "The agent rejected the state";
    StateShape "state_shape" 400 4400 None, "The state has the wrong shape";
    StateConflict "state_conflict" 409 4409 None, "The state has changed meanwhile";
    StateKeysDropped "state_keys_dropped" 400 4400 None, "The new state lacks keys of the old one";
    StateFieldsKept "state_fields_kept" 403 4403 None, "Clients may not write these fields";
    StateTooLarge "state_too_large" 413 4400 None, "The state is too large";
    ConnectionReadonly "connection_readonly" 403 4400 None, "The connection is read-only";
    TurnTimeout "turn_timeout" 503 1013 Some(1), "The agent took too long";
    TurnPanicked "turn_panicked" 500 1011 None, "The agent's code panicked";
    TaskUnknown "task_unknown" 404 4404 None, "The class has no such task";
    TaskFailed "task_failed" 500 1011 None, "A task failed too often";
    TaskTimeout "task_timeout" 504 1013 None, "A task took too long";
    NestedTurn "nested_turn" 500 1011 None, "The agent waited for itself";
    CallFailed "call_failed" 500 1011 None, "The method failed";
    CallTimeout "call_timeout" 504 1013 Some(1), "The call took too long";
    CallInProgress "call_in_progress" 409 4409 None, "A call with this idempotency key is still running";
    IdempotencyConflict "idempotency_conflict" 409 4409 None, "The idempotency key was used for another call";
    SqlError "sql_error" 500 1011 None, "A SQL statement failed";
    HistoryGone "history_gone" 410 4410 None, "That moment is no longer in the history";
    HistoryOff "history_off" 404 4404 None, "No history is kept for this agent";
    MomentInvalid "moment_invalid" 400 4400 None, "The moment cannot be understood";
    AgentNotFound "agent_not_found" 404 4404 None, "No agent has this name";
    AgentExists "agent_exists" 409 4409 None, "An agent with this name exists already";
    ExportInvalid "export_invalid" 400 4400 None, "The file is no sound export of an agent";
    Unauthorized "unauthorized" 401 4401 None, "Authentication is required";
    Forbidden "forbidden" 403 4403 None, "This is not allowed";
    Internal "internal" 500 1011 None, "Something failed inside the server";
    // Calls between agents, and sub-agents.
    CallCycle "call_cycle" 508 1011 None, "The call waits for itself";
    CallTooDeep "call_too_deep" 508 1011 None, "The chain of calls is too long";
    NameInvalid "name_invalid" 400 4400 None, "No agent can have this name";
    // Secrets.
    SecretMasked "secret_masked" 400 4400 None, "A secret was masked";
    SecretRefused "secret_refused" 400 4400 None, "A secret stands where it cannot be masked";
    SecretUnknown "secret_unknown" 404 4404 None, "There is no secret with this name";
    VaultUnavailable "vault_unavailable" 503 1013 Some(10), "The vault cannot be used";
    // Webhooks and mail.
    HookUnknown "hook_unknown" 404 4404 None, "There is no webhook with this name";
    HookSignature "hook_signature" 401 4401 None, "The webhook is not signed as it should be";
    HookStale "hook_stale" 401 4401 None, "The webhook was signed too long ago";
    HookUnroutable "hook_unroutable" 422 4400 None, "The webhook cannot be matched to an agent";
    HookTooMany "hook_too_many" 429 1013 Some(60), "Too many webhooks from this address";
    MailUnroutable "mail_unroutable" 404 4404 None, "Nobody here has this mail address";
    MailInvalid "mail_invalid" 400 4400 None, "The mail cannot be sent as it is";
    MailRefused "mail_refused" 502 1011 None, "The mail server refused the mail";
    MailUnavailable "mail_unavailable" 503 1013 Some(60), "The mail server cannot be reached";
    // Schedules, the queue, and runs that were given up.
    QueueFull "queue_full" 429 1013 Some(5), "Too much waits for this agent";
    TaskTooLarge "task_too_large" 413 1009 None, "The arguments of a task are too large";
    RunUnknown "run_unknown" 404 4404 None, "The agent has no such run";
    // What is fetched from elsewhere, and MCP.
    AddressRefused "address_refused" 403 4403 None, "This address may not be reached from here";
    FetchFailed "fetch_failed" 502 1013 Some(5), "Something elsewhere could not be fetched";
    McpUnavailable "mcp_unavailable" 503 1013 Some(5), "The MCP server cannot be used now";
    McpServerUnknown "mcp_server_unknown" 404 4404 None, "The agent has no such MCP server";
    McpCallFailed "mcp_call_failed" 502 1011 None, "The MCP server reported an error";
    McpOff "mcp_off" 404 4404 None, "MCP is not switched on here";
    // Durable runs.
    NotARun "not_a_run" 400 4400 None, "This is for durable runs";
    RunOver "run_over" 409 4409 None, "The run is over";
    RunBusy "run_busy" 409 4409 None, "The run is not over";
    RunCancelled "run_cancelled" 409 4409 None, "The run was ended by somebody";
    RunPutBack "run_put_back" 409 4409 None, "The run was paused because its agent was copied or put back";
    StepMismatch "step_mismatch" 500 1011 None, "The code of a run is not the one that began it";
    StepNested "step_nested" 500 1011 None, "A step is inside another";
    StepTimeout "step_timeout" 504 1013 None, "A step took too long";
    StepTooLarge "step_too_large" 413 4400 None, "What a run is to keep is too large";
    StepUncertain "step_uncertain" 409 4409 None, "Nobody knows whether a step was done";
    TooManySteps "too_many_steps" 500 1011 None, "The run has too many steps";
    TooManyEvents "too_many_events" 429 4400 None, "Too many events wait for the run";
    NotApproved "not_approved" 403 4403 None, "It was not approved";
    NotAsked "not_asked" 409 4409 None, "The run does not ask for that";
    // Who may come in, and how often.
    TokenInvalid "token_invalid" 401 4401 None, "The token is not valid";
    TokenExpired "token_expired" 401 4401 None, "The token has expired";
    RateLimited "rate_limited" 429 1013 Some(1), "Too much in too short a time";
    // The chat.
    TurnCancelled "turn_cancelled" 409 4409 None, "The turn of the chat was stopped";
    // Approvals of tools.
    ApprovalUnknown "approval_unknown" 404 4404 None, "There is no such approval";
    ConversationBusy "conversation_busy" 409 4409 None, "The agent is answering in this conversation";
    // GitHub.
    GithubTokenMissing "github_token_missing" 403 4403 None, "GitHub wants a token for this";
    GithubTokenBad "github_token_bad" 403 4403 None, "GitHub does not take the token";
    GithubForbidden "github_forbidden" 403 4403 None, "The token may not do this on GitHub";
    GithubNotFound "github_not_found" 404 4404 None, "GitHub does not have it, or does not show it";
    GithubIsDirectory "github_is_directory" 400 4400 None, "It is a directory on GitHub, not a file";
    GithubRateLimited "github_rate_limited" 429 1013 Some(60), "GitHub's limit of requests is used up";
    GithubRefused "github_refused" 409 4409 None, "GitHub refused it";
    GithubUnavailable "github_unavailable" 502 1013 Some(5), "GitHub cannot be used now";
    // Looking at a workspace, and the list of conversations.
    NoWorkspace "no_workspace" 404 4404 None, "Agents have no workspaces here";
    FileUnknown "file_unknown" 404 4404 None, "The workspace has no such file";
    OutsideWorkspace "outside_workspace" 403 4403 None, "The path leads out of the workspace";
    WorkspaceRefused "workspace_refused" 422 4400 None, "The workspace cannot be used like this";
    GitFailed "git_failed" 422 4400 None, "Git could not do it";
    ConversationUnknown "conversation_unknown" 404 4404 None, "There is no such conversation in the list";
    // Machines that are lent to an agent.
    HandsUnknown "hands_unknown" 404 4404 None, "No such machine is lent to the agent";
    HandsTaken "hands_taken" 409 4409 None, "There is no place for this machine at the agent";
    // Whoever calls over MCP.
    McpCallerCannot "mcp_caller_cannot" 409 4409 None, "The MCP client that called cannot be asked";
    // Two on one data directory.
    StorageLocked "storage_locked" 503 1013 Some(10), "Another program uses the data";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is none of our codes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such code: {0:?}")]
pub struct UnknownCode(String);

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(s: &str) -> Result<Self, UnknownCode> {
        let found = Self::ALL.iter().find(|code| code.as_str() == s);
        found.copied().ok_or_else(|| UnknownCode(crate::text::shorten(s, 64)))
    }
}
