//! The agent class: its state and its methods.

mod chat;
mod state;

use hostel::{Cx, Delivery, JsonSchema, Result, State, Stream, agent};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    calls, child,
    child::{
        Above, Errand, ErrandResult,
        steps::{ErrandStep, StepAnswer},
    },
    commands,
    context::{ContextChange, ProjectContext},
    conversations, documented,
    errands::{self, ErrandNews},
    fork::{self, Fork, Forked, Heritage},
    github::{
        self,
        account::AccountView,
        token::{TokenGiven, TokenSet},
    },
    hands::{self, ChooseHands, HandsOffer, HandsOrder, HandsReport, HandsView, Heard},
    models::{self, ModelsView},
    policy::{self, PolicyChange, PolicyView, RulingEntry},
    project_mcp::{self, AllowMcp, ProjectMcp},
    rewind::{self, Rewind, Rewound},
    runs,
    runs::{RunView, StartRun, UsageView},
    shell::{
        self, TerminalChunk, TerminalInfo, TerminalInput, TerminalOpen, TerminalOpened, TerminalOutput, TerminalSize,
        WhichTerminal,
    },
    snapshots, views,
    work::{self, Note, Plan, ScheduleTask, Work, WorkTask},
};

pub(crate) use self::chat::stored_messages;

/// The coding agent. Clients see its project context, and what it is at, as the state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema, State)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct CoderAgent {
    /// Owner of the repository, e.g. `OpenAgentsInc`.
    #[serde(skip_serializing_if = "Option::is_none")]
    repo_owner: Option<String>,
    /// Name of the repository, e.g. `openagents`.
    #[serde(skip_serializing_if = "Option::is_none")]
    repo_name: Option<String>,
    /// Branch in question.
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<String>,
    /// Path within the repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// Plan, run and tasks, where there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[state(server)]
    work: Option<Work>,
}

/// What `setProjectContext` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContextSet {
    /// Always true: a failure is an error of the call.
    pub success: bool,
    /// The context as it is now.
    pub context: ProjectContext,
}

/// A coding agent that keeps the context of a project.
#[agent(extend = hostel_chat::Chat)]
impl CoderAgent {
    /// Changes the given fields of the project context. Fields that are left out stay, `null` clears one.
    #[callable]
    fn set_project_context(&mut self, context: ContextChange) -> ContextSet {
        ContextSet { success: true, context: self.change_context(context) }
    }

    /// The project context.
    #[callable]
    fn get_project_context(&self) -> ProjectContext {
        self.context()
    }

    /// What the agent may do without asking, and what not at all.
    #[callable]
    fn get_policy(&self, cx: &Cx<Self>) -> Result<PolicyView> {
        policy::view(cx)
    }

    /// Changes it. What is left out stays; rules are given all at once.
    #[callable]
    fn set_policy(&mut self, cx: &Cx<Self>, change: PolicyChange) -> Result<PolicyView> {
        policy::change(cx, change)
    }

    /// Says yes to a call that waits for one, by its id, and always to the same.
    #[callable]
    fn approve_always(&mut self, cx: &Cx<Self>, call: &str) -> Result<PolicyView> {
        policy::approve_always(cx, call)
    }

    /// What rules and the mode decided without anybody being asked, and how they were changed, newest first.
    #[callable]
    fn get_policy_log(&self, cx: &Cx<Self>) -> Result<Vec<RulingEntry>> {
        policy::log(cx)
    }

    /// Which models there are, and which one answers here.
    #[callable]
    fn get_models(&self, cx: &Cx<Self>) -> Result<ModelsView> {
        models::view(cx)
    }

    /// Has another model answer from the next turn on, by its name in the configuration; `null` leaves it to `main`.
    #[callable]
    fn set_model(&mut self, cx: &Cx<Self>, name: Option<String>) -> Result<ModelsView> {
        models::choose(cx, name)
    }

    /// The stored chat messages, oldest first.
    #[callable]
    fn get_messages(&self, cx: &Cx<Self>) -> Result<Vec<Value>> {
        stored_messages(cx, None)
    }

    /// Opens a terminal in the workspace, in the sandbox.
    #[callable]
    async fn terminal_open(cx: &Cx<Self>, terminal: TerminalOpen) -> Result<TerminalOpened> {
        shell::open(cx, terminal).await
    }

    /// Types into a terminal.
    #[callable]
    async fn terminal_input(cx: &Cx<Self>, input: TerminalInput) -> Result<()> {
        shell::input(cx, input).await
    }

    /// Changes the size of a terminal.
    #[callable]
    fn terminal_resize(&self, cx: &Cx<Self>, size: TerminalSize) -> Result<()> {
        shell::resize(cx, size)
    }

    /// Ends a terminal or a command in the background; one that is over is forgotten.
    #[callable]
    fn terminal_close(&mut self, cx: &Cx<Self>, terminal: WhichTerminal) -> Result<()> {
        shell::close(cx, terminal.id)
    }

    /// The terminals and the commands in the background.
    #[callable]
    fn terminals(&self, cx: &Cx<Self>) -> Result<Vec<TerminalInfo>> {
        shell::list(cx)
    }

    /// Streams what a terminal or a command in the background says, until it is over.
    #[callable(streaming)]
    async fn terminal_output(cx: &Cx<Self>, chunks: Stream<TerminalChunk>, terminal: TerminalOutput) -> Result<()> {
        shell::output(cx, terminal, &chunks).await
    }

    /// Lends a machine for commands, for as long as the call lasts: orders are its chunks.
    #[callable(streaming)]
    async fn hands_offer(cx: &Cx<Self>, orders: Stream<HandsOrder>, machine: HandsOffer) -> Result<()> {
        hands::offer(cx, machine, &orders).await
    }

    /// Tells what came of an order.
    #[callable]
    async fn hands_report(cx: &Cx<Self>, report: HandsReport) -> Result<Heard> {
        hands::report(cx, report).await
    }

    /// Where commands run, and the machines that are lent.
    #[callable]
    fn get_hands(&self, cx: &Cx<Self>) -> Result<HandsView> {
        hands::view(cx)
    }

    /// Chooses where commands run: in the sandbox, or on a machine that is lent.
    #[callable]
    fn set_hands(&mut self, cx: &Cx<Self>, choose: &ChooseHands) -> Result<HandsView> {
        hands::choose(cx, choose)
    }

    /// The plan: its steps, and how far each is.
    #[callable]
    fn get_plan(&self, cx: &Cx<Self>) -> Result<Plan> {
        Ok(work::plan::get(cx)?.unwrap_or_default())
    }

    /// The tasks, those that are open first.
    #[callable]
    fn get_tasks(&self, cx: &Cx<Self>) -> Result<Vec<WorkTask>> {
        work::tasks::list(cx, false)
    }

    /// The notes, the oldest first.
    #[callable]
    fn get_notes(&self, cx: &Cx<Self>) -> Result<Vec<Note>> {
        work::notes::list(cx)
    }

    /// Adds a task for later, or for when a webhook comes. It becomes a turn of the chat when it is due.
    #[callable]
    fn schedule_task(&mut self, cx: &Cx<Self>, task: &ScheduleTask) -> Result<WorkTask> {
        calls::schedule(self, cx, task)
    }

    /// Cancels a task, and its schedule.
    #[callable]
    fn cancel_task(&mut self, cx: &Cx<Self>, id: i64) -> Result<bool> {
        calls::cancel(self, cx, id)
    }

    /// Begins an autonomous run: turn after turn at a goal, within a budget.
    #[callable]
    fn start_continuous_run(&mut self, cx: &Cx<Self>, run: &StartRun) -> Result<RunView> {
        self.with_work(cx, |cx| runs::drive::start(cx, run))
    }

    /// Ends the autonomous run, and stops the turn it is at.
    #[callable]
    fn stop_continuous_run(&mut self, cx: &Cx<Self>) -> Result<RunView> {
        self.with_work(cx, runs::drive::stop)
    }

    /// Puts the autonomous run off: the turn it is at goes on to its end, and no other begins.
    #[callable]
    fn pause_run(&mut self, cx: &Cx<Self>) -> Result<RunView> {
        self.with_work(cx, runs::drive::pause)
    }

    /// Has the autonomous run go on.
    #[callable]
    fn resume_run(&mut self, cx: &Cx<Self>) -> Result<RunView> {
        self.with_work(cx, runs::drive::resume)
    }

    /// How the autonomous run stands.
    #[callable]
    fn get_run(&self, cx: &Cx<Self>) -> Result<RunView> {
        Ok(runs::view(cx)?.unwrap_or_default())
    }

    /// How full the model's window is, and what the conversation has taken in tokens and money.
    #[callable]
    fn usage(&self, cx: &Cx<Self>) -> Result<UsageView> {
        runs::meter::usage(cx)
    }

    /// What the agent above delegates, before it says it. Nobody else is heard.
    #[callable(allow = "internal")]
    fn prepare_errand(&mut self, cx: &Cx<Self>, errand: &Errand) -> Result<()> {
        child::prepare(cx, errand)
    }

    /// What holds at the agent above by now. Nobody else is heard.
    #[callable(allow = "internal")]
    fn obey(&mut self, cx: &Cx<Self>, above: Above) -> Result<()> {
        child::obey(cx, above)
    }

    /// What came of an errand, for the agent above.
    #[callable(allow = "internal")]
    fn errand_result(&self, cx: &Cx<Self>, turn: &str) -> Result<ErrandResult> {
        child::result(cx, turn)
    }

    /// An agent below tells how far it is.
    #[callable(allow = "internal")]
    fn errand_news(&mut self, cx: &Cx<Self>, news: &ErrandNews) -> Result<()> {
        self.with_work(cx, |cx| errands::news(cx, news))
    }

    /// An agent below would begin a step; whether it may.
    #[callable(allow = "internal")]
    fn errand_step(&mut self, cx: &Cx<Self>, step: &ErrandStep) -> Result<StepAnswer> {
        self.with_work(cx, |cx| errands::steps::asked(cx, step))
    }

    /// Tells the agent above how far the errand is.
    #[task]
    async fn tell_above(cx: &Cx<Self>, _mark: u64) -> Result<()> {
        child::tell_above(cx).await
    }

    /// Tells those that were delegated to what holds from now on.
    #[task]
    async fn tell_delegates(cx: &Cx<Self>, _mark: u64) -> Result<()> {
        errands::tell_rules(cx).await
    }

    /// A task is due.
    #[task]
    fn task_due(&mut self, cx: &Cx<Self>, id: i64) -> Result<()> {
        self.with_work(cx, |cx| work::tasks::due_now(cx, id))
    }

    /// The time between two turns of a run has passed.
    #[task]
    fn run_on(&mut self, cx: &Cx<Self>, id: &str) -> Result<()> {
        self.with_work(cx, |cx| runs::drive::time_has_come(cx, id))
    }

    /// A turn of the chat is over that a task or a run has to do with.
    #[task]
    fn turn_over(&mut self, cx: &Cx<Self>, id: &str) -> Result<()> {
        self.with_work(cx, |cx| calls::turn_over(cx, id))
    }

    /// A webhook has come for this agent.
    #[task]
    fn on_webhook(&mut self, cx: &Cx<Self>, delivery: &Delivery) -> Result<()> {
        self.with_work(cx, |cx| calls::webhook(cx, delivery))
    }

    /// What is in a directory of the workspace.
    #[callable]
    async fn list_files(cx: &Cx<Self>, path: Option<String>) -> Result<views::FilesView> {
        views::list(cx, path).await
    }

    /// A file of the workspace, or some of its lines.
    #[callable]
    async fn read_file(cx: &Cx<Self>, which: views::WhichLines) -> Result<views::FileView> {
        views::read(cx, which).await
    }

    /// How the repository stands.
    #[callable]
    async fn workspace_status(cx: &Cx<Self>) -> Result<views::StatusView> {
        views::status(cx).await
    }

    /// What differs from the last commit, or since a commit or snapshot.
    #[callable]
    async fn workspace_diff(cx: &Cx<Self>, what: Option<views::WhatDiff>) -> Result<views::DiffView> {
        views::diff(cx, what.unwrap_or_default()).await
    }

    /// Searches the text of files.
    #[callable]
    async fn search_files(cx: &Cx<Self>, what: views::WhatFind) -> Result<views::FoundView> {
        views::search(cx, what).await
    }

    /// Gives the conversation another title.
    #[callable(allow = "internal")]
    fn name_conversation(&mut self, cx: &Cx<Self>, title: String) -> Result<()> {
        conversations::name(cx, title)
    }

    /// Tells the lists of conversations how this one is.
    #[task]
    async fn tell_conversations(cx: &Cx<Self>, _mark: u64) -> Result<()> {
        conversations::tell(cx).await
    }

    /// The commands that can be said with a slash in front, without any model.
    #[callable]
    async fn slash_commands(cx: &Cx<Self>) -> Result<Vec<commands::CommandView>> {
        commands::list(cx).await
    }

    /// The MCP servers that the project names, and how each stands.
    #[callable]
    async fn project_mcp(cx: &Cx<Self>) -> Result<ProjectMcp> {
        project_mcp::view(cx).await
    }

    /// Says yes to the entry of an MCP server of the project: it is used from the next message on, until the entry changes.
    #[callable]
    async fn allow_project_mcp(cx: &Cx<Self>, which: AllowMcp) -> Result<ProjectMcp> {
        project_mcp::allow(cx, which).await?;
        project_mcp::view(cx).await
    }

    /// Takes the yes to an MCP server of the project back, and ends its connection; `false` if there was none.
    #[callable]
    fn forget_project_mcp(&mut self, cx: &Cx<Self>, server: &str) -> Result<bool> {
        project_mcp::forget(cx, server)
    }

    /// The messages that led to changes of files, oldest first: to before each of them can be gone back.
    #[callable]
    fn snapshots(&self, cx: &Cx<Self>) -> Result<Vec<Value>> {
        snapshots::list(cx)
    }

    /// Puts the conversation, and the files, back to before a message. It can be undone.
    #[callable]
    async fn rewind(cx: &Cx<Self>, to: Rewind) -> Result<Rewound> {
        rewind::rewind(cx, to).await
    }

    /// Takes the last rewind back, if nothing was said since.
    #[callable]
    async fn undo_rewind(cx: &Cx<Self>) -> Result<Rewound> {
        rewind::undo(cx).await
    }

    /// Ends a rewind that a crash has stopped.
    #[task]
    async fn finish_rewind(cx: &Cx<Self>, n: i64) -> Result<()> {
        rewind::finish(cx, n).await
    }

    /// Makes a fork that a crash has stopped.
    #[task]
    async fn finish_fork(cx: &Cx<Self>, name: &str) -> Result<()> {
        fork::finish(cx, name).await
    }

    /// Makes a new agent with this conversation, from now or from before a message, and a copy of the files.
    #[callable]
    async fn fork(cx: &Cx<Self>, what: Fork) -> Result<Forked> {
        fork::fork(cx, what).await
    }

    /// Whether nothing was ever said here, and no file made.
    #[callable(allow = "internal")]
    fn is_new(&self, cx: &Cx<Self>) -> Result<bool> {
        fork::is_new(cx)
    }

    /// Whether nothing was ever said here.
    #[callable(allow = "internal")]
    fn is_silent(&self, cx: &Cx<Self>) -> Result<bool> {
        fork::is_silent(cx)
    }

    /// Takes over what another agent knows.
    #[callable(allow = "internal")]
    fn take_over(&mut self, cx: &Cx<Self>, heritage: Heritage) -> Result<()> {
        fork::take_over(cx, self, heritage)
    }

    /// Keeps the caller's token for GitHub in the vault, where only what talks to GitHub finds it; `null` removes it. Takes
    /// `{token}`, or the token itself.
    #[callable]
    async fn set_github_token(cx: &Cx<Self>, token: TokenGiven) -> Result<TokenSet> {
        github::token::set(cx, token).await
    }

    /// In whose name GitHub is asked for the caller. No token is in it.
    #[callable]
    async fn github_account(cx: &Cx<Self>) -> Result<AccountView> {
        github::account::view(cx).await
    }

    /// Runs a command in the sandbox, for whoever calls: `{exitCode, success, ended, output}`.
    #[callable]
    async fn execute_command(cx: &Cx<Self>, command: documented::CommandGiven) -> Result<Value> {
        documented::execute(cx, command).await
    }

    /// What the agent's model says of this code: `{analysis}`.
    #[callable]
    async fn analyze_code(cx: &Cx<Self>, code: documented::CodeGiven) -> Result<Value> {
        documented::analyze(cx, code).await
    }

    /// Code that the agent's model writes for this description: `{code}`.
    #[callable]
    async fn generate_code(cx: &Cx<Self>, wanted: documented::CodeWanted) -> Result<Value> {
        documented::generate(cx, wanted).await
    }

    /// What the agent's model explains of this code: `{explanation}`.
    #[callable]
    async fn explain_code(cx: &Cx<Self>, code: documented::CodeGiven) -> Result<Value> {
        documented::explain(cx, code).await
    }
}
